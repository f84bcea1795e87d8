package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A cluster is an API server of Kubernetes as far as a watcher of pods sees one:
// lists in pages, watches, and the logs of containers. Pods have the size of real
// ones, some 6 KB of JSON.
type cluster struct {
	url    string
	server *http.Server
	ended  sync.WaitGroup

	mu       sync.Mutex
	version  int
	restarts []int // By pod.
	watchers map[chan string]bool
	dropped  int // Watchers that were too slow for their queue.
}

// podsOfService is how many pods share a Deployment.
const podsOfService = 10

func startCluster(pods int) (*cluster, error) {
	c := &cluster{version: 1, restarts: make([]int, pods), watchers: map[chan string]bool{}}
	url, server, err := serve(c, &c.ended)
	if err != nil {
		return nil, err
	}
	c.url, c.server = url, server
	return c, nil
}

func (c *cluster) close() {
	_ = c.server.Close() // Nothing of it is used again.
	c.ended.Wait()
}

// kubeconfig leads to c.
func (c *cluster) kubeconfig() string {
	return fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: bench
contexts: [{name: bench, context: {cluster: bench, user: bench}}]
clusters: [{name: bench, cluster: {server: %q}}]
users: [{name: bench, user: {token: bench}}]
`, c.url)
}

// podService is the Deployment of a pod.
func podService(pod int) string { return fmt.Sprintf("svc-%d", pod/podsOfService) }

// crash has the container of a pod end, and wait for its next start.
func (c *cluster) crash(pod int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.restarts[pod]++
	c.version++
	line := fmt.Sprintf(`{"type":"MODIFIED","object":%s}`, c.pod(pod))
	for w := range c.watchers {
		select {
		case w <- line:
		default: // It lists again, as one does whose watch the real server has ended.
			c.dropped++
			delete(c.watchers, w)
			close(w)
		}
	}
}

// pod is called with mu held.
func (c *cluster) pod(i int) string {
	service := podService(i)
	name := fmt.Sprintf("%s-6f7c9d8b5-%05d", service, i)
	state := fmt.Sprintf(`"state":{"running":{"startedAt":%q}}`, "2026-01-01T00:00:00Z")
	if n := c.restarts[i]; n > 0 {
		state = fmt.Sprintf(`"state":{"waiting":{"reason":"CrashLoopBackOff","message":"back-off 2m40s restarting failed container=app pod=%s_prod"}},`+
			`"lastState":{"terminated":{"exitCode":1,"reason":"Error","finishedAt":%q}}`, name, time.Now().UTC().Format(time.RFC3339))
	}
	return fmt.Sprintf(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":%q,"namespace":"prod","uid":"00000000-0000-4000-8000-%012d","resourceVersion":"%d",`+
		`"labels":{"app":%q,"pod-template-hash":"6f7c9d8b5"},"annotations":{"bench/config":%q},`+
		`"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"%s-6f7c9d8b5","controller":true}],"managedFields":[{"manager":"kubelet","operation":"Update","fieldsType":"FieldsV1","fieldsV1":%s}]},`+
		`"spec":{"nodeName":"node-%d","restartPolicy":"Always","containers":[{"name":"app","image":"registry.example/app:1","env":[%s],"resources":{"limits":{"memory":"256Mi"}}}]},`+
		`"status":{"phase":"Running","containerStatuses":[{"name":"app","image":"registry.example/app:1","restartCount":%d,%s}]}}`,
		name, i, c.version, service, strings.Repeat("x", 500), service, managedFields(), i%50, podEnv(), c.restarts[i], state)
}

// managedFields and podEnv are what makes real pods long.
func managedFields() string {
	const field = `"f:status-%d":{"f:conditions":{"k:{\"type\":\"Ready\"}":{".":{},"f:lastProbeTime":{},"f:status":{}}}}`
	return "{" + repeated(30, field) + "}"
}

func podEnv() string {
	return repeated(30, `{"name":"DATABASE_URL_%d","value":"postgres://orders-db:5432/orders"}`)
}

func repeated(n int, format string) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(format, i)
	}
	return strings.Join(all, ",")
}

// ServeHTTP implements http.Handler.
func (c *cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	kind, known := map[string]string{"/api/v1/pods": "Pod", "/api/v1/events": "Event", "/api/v1/nodes": "Node"}[r.URL.Path]
	switch {
	case strings.HasSuffix(r.URL.Path, "/log"):
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprintln(w, "panic: runtime error: index out of range [3] with length 3")
	case !known:
		http.NotFound(w, r)
	case r.FormValue("sendInitialEvents") == "true":
		// As servers before 1.32 refuse it.
		w.WriteHeader(http.StatusUnprocessableEntity)
		fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Invalid","code":422}`)
	case r.FormValue("watch") == "true":
		c.watch(w, r, kind == "Pod")
	default:
		c.list(w, r, kind)
	}
}

func (c *cluster) list(w http.ResponseWriter, r *http.Request, kind string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := 0
	if kind == "Pod" {
		all = len(c.restarts)
	}
	from, _ := strconv.Atoi(r.FormValue("continue")) // None is the first.
	to := all
	if limit, err := strconv.Atoi(r.FormValue("limit")); err == nil {
		to = min(all, from+limit)
	}
	items := []json.RawMessage{}
	for i := from; i < to; i++ {
		items = append(items, json.RawMessage(c.pod(i)))
	}
	meta := map[string]string{"resourceVersion": strconv.Itoa(c.version)}
	if to < all {
		meta["continue"] = strconv.Itoa(to)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"kind": kind + "List", "apiVersion": "v1", "metadata": meta, "items": items}) // Who has gone asks again.
}

func (c *cluster) watch(w http.ResponseWriter, r *http.Request, pods bool) {
	const queue = 1000
	changes := make(chan string, queue)
	if pods {
		c.mu.Lock()
		c.watchers[changes] = true
		c.mu.Unlock()
		defer func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			delete(c.watchers, changes)
		}()
	}
	flush := http.NewResponseController(w)
	_ = flush.Flush() // A write fails too where it does.
	for {
		select {
		case line, open := <-changes:
			if !open {
				return
			}
			if _, err := fmt.Fprintln(w, line); err != nil {
				return
			}
			_ = flush.Flush()
		case <-r.Context().Done():
			return
		}
	}
}
