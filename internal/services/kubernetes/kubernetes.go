// Package kubernetes watches the containers of a cluster's pods.
//
// Three streams come together: pods say what is, events say why a probe or a
// mount failed, nodes say what is lost. No object is kept as the API server
// sends it: a store of ours makes observations of it and lets it go, which is
// why thousands of pods cost little. Start with [New].
package kubernetes

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	clientset "k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"

	"github.com/hedgewatch/hedgewatch/internal/services"
)

const (
	logLines   = 100
	maxLogRead = 4 << 20
	// pageSize is how many objects a list has at once, and maxAnswer what a page
	// may weigh: an object has 1.5 MiB at most, and a pod as a rule 10 KiB.
	pageSize, maxAnswer = 500, 64 << 20
	// maxChange bounds one change in a watch, as the library does for protobuf.
	maxChange = 16 << 20
	// sideRetry is how long events or nodes wait after a failure. They explain;
	// pods are what is watched.
	sideRetry = 30 * time.Second
)

// Watcher watches one cluster.
type Watcher struct {
	logger    *slog.Logger
	client    clientset.Interface
	namespace string
	feed      *services.Feed
	pods      *pods
	known     chan struct{} // Closed when the pods have been listed for the first time.
}

// New returns a watcher that reports to s.
func New(c Config, s *services.Services, logger *slog.Logger) (*Watcher, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	cfg, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig)
	if c.Kubeconfig == "" {
		cfg, err = rest.InClusterConfig()
	}
	if err != nil {
		return nil, fmt.Errorf("kubeconfig: %w; name a file, or run inside the cluster", err)
	}
	cfg.UserAgent = "hedgewatch"
	// No limit of the library's: incidents would wait in its queue when thousands
	// of containers crash. Services bounds how many logs are read at once, and the
	// reflectors wait before they try again.
	cfg.QPS = -1
	cfg.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	cfg.ContentType = "application/vnd.kubernetes.protobuf"
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper { return bounded{next} })
	client, err := clientset.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("kubeconfig: %w", err)
	}
	w := &Watcher{logger: logger, client: client, namespace: c.Namespace, known: make(chan struct{})}
	w.feed = s.Feed(services.Kubernetes, w.logs)
	w.pods = newPods(w.feed)
	return w, nil
}

// Run watches until ctx ends.
func (w *Watcher) Run(ctx context.Context) error {
	known := sync.OnceFunc(func() { close(w.known) })
	// The library's own words about each retry are those of Feed, only more.
	ctx = klog.NewContext(ctx, klog.Logger{})
	core := w.client.CoreV1()
	var running sync.WaitGroup
	defer running.Wait()
	aside := func(what string, lw *cache.ListWatch, object runtime.Object, s *store) {
		running.Go(func() { w.aside(ctx, what, reflector(paged{lw}, object, s)) })
	}
	involved := fields.OneTermEqualSelector("involvedObject.kind", "Pod").String()
	aside("events", &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.FieldSelector = involved
			list, err := core.Events(w.namespace).List(ctx, page(o))
			if err != nil {
				return nil, err
			}
			// Taken in page by page: there may be any number of them.
			for i := range list.Items {
				w.pods.event(&list.Items[i])
			}
			list.Items = nil
			return list, nil
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.FieldSelector = involved
			return core.Events(w.namespace).Watch(ctx, o)
		},
	}, &corev1.Event{}, &store{set: w.pods.event, transform: stripEvent})
	if w.namespace == "" {
		aside("nodes", &cache.ListWatch{
			ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
				list, err := core.Nodes().List(ctx, page(o))
				if err != nil {
					return nil, err
				}
				for i := range list.Items {
					w.pods.node(&list.Items[i])
				}
				list.Items = nil
				return list, nil
			},
			WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
				return core.Nodes().Watch(ctx, o)
			},
		}, &corev1.Node{}, &store{set: w.pods.node, transform: stripNode})
	}
	return w.feed.Watch(ctx, func(ctx context.Context) error { return w.session(ctx, known) })
}

// session lasts from one list of the pods to the next.
func (w *Watcher) session(ctx context.Context, known func()) error {
	core := w.client.CoreV1()
	listed := false
	s := &store{set: w.pods.set, remove: w.pods.remove, transform: stripPod, replace: func(objects []any) {
		w.pods.replace(objects)
		listed = true
		known()
	}}
	return reflector(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			list, err := core.Pods(w.namespace).List(ctx, page(o))
			if err != nil {
				return nil, err
			}
			for i := range list.Items {
				list.Items[i] = *smallPod(&list.Items[i])
			}
			return list, nil
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			stream, err := core.Pods(w.namespace).Watch(ctx, o)
			// The reflector goes on trying where it stopped and tells nobody.
			switch {
			case err != nil:
				w.feed.Blind(fmt.Errorf("watch pods: %w", err))
			case listed:
				w.feed.Back()
			}
			return stream, err
		},
	}, &corev1.Pod{}, s).ListAndWatchWithContext(ctx)
}

// aside keeps a stream going whose loss makes nobody blind.
func (w *Watcher) aside(ctx context.Context, what string, r *cache.Reflector) {
	select {
	case <-w.known: // What it tells of pods that nobody knows is lost.
	case <-ctx.Done():
	}
	told := ""
	for ctx.Err() == nil {
		err := r.ListAndWatchWithContext(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			told = ""
		} else if err.Error() != told {
			told = err.Error()
			w.logger.Warn("Causes of restarts may be missing", "without", what, "err", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(sideRetry):
		}
	}
}

// logs implements services.Logs: of the run that ended.
func (w *Watcher) logs(ctx context.Context, key services.Key) ([]byte, error) {
	lines, bytes := int64(logLines), int64(maxLogRead)
	stream, err := w.client.CoreV1().Pods(key.Namespace).GetLogs(key.Instance, &corev1.PodLogOptions{
		Container: key.Container, Previous: w.pods.running(key), TailLines: &lines, LimitBytes: &bytes,
	}).Stream(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the log of %s: %w", key.Instance, err)
	}
	defer stream.Close()
	var end services.LogTail
	if _, err := io.Copy(&end, io.LimitReader(stream, maxLogRead)); err != nil && len(end.Bytes()) == 0 {
		return nil, fmt.Errorf("read the log of %s: %w", key.Instance, err)
	}
	return end.Bytes(), nil
}

// bounded keeps an API server, or what answers in its place, from filling the
// memory.
type bounded struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.RoundTripper.RoundTrip(r)
	switch {
	case err != nil:
	case r.URL.Query().Get("watch") == "":
		services.BoundBody(resp, maxAnswer)
	case strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json"):
		services.BoundLines(resp, maxChange)
	}
	return resp, err
}

// WrappedRoundTripper lets client-go find the transport below.
func (b bounded) WrappedRoundTripper() http.RoundTripper { return b.RoundTripper }

// page has a list come in pages. The server leaves the limit out of account for
// what it has in its cache of any age, which resource version 0 asks for.
func page(o metav1.ListOptions) metav1.ListOptions {
	if o.ResourceVersion == "0" {
		o.ResourceVersion = ""
	}
	if o.Limit == 0 && o.Continue == "" && o.ResourceVersion == "" {
		o.Limit = pageSize
	}
	return o
}

// paged is a list that does not come as a stream of changes, which the library
// collects as a whole.
type paged struct{ *cache.ListWatch }

// IsWatchListSemanticsUnSupported is what the library asks for that.
func (paged) IsWatchListSemanticsUnSupported() bool { return true }

func reflector(lw cache.ListerWatcher, object runtime.Object, s *store) *cache.Reflector {
	r := cache.NewReflectorWithOptions(lw, object, s, cache.ReflectorOptions{Logger: &klog.Logger{}})
	r.WatchListPageSize = pageSize
	return r
}

// store hands objects on instead of keeping them. It implements
// cache.TransformingStore.
type store struct {
	set       func(any)
	remove    func(any)
	replace   func([]any)
	transform cache.TransformFunc
}

func (s *store) Add(obj any) error {
	small, err := s.transform(obj)
	if err == nil {
		s.set(small)
	}
	return err
}

func (s *store) Update(obj any) error { return s.Add(obj) }

func (s *store) Delete(obj any) error {
	if s.remove != nil {
		s.remove(obj)
	}
	return nil
}

func (s *store) Replace(list []any, _ string) error {
	if s.replace != nil {
		s.replace(list)
		return nil
	}
	for _, obj := range list {
		s.set(obj)
	}
	return nil
}

func (s *store) Resync() error { return nil }

// Transformer makes the reflector strip what it collects before Replace.
func (s *store) Transformer() cache.TransformFunc { return s.transform }
