package kubernetes_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/yaml"
	clientset "k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/hedgewatch/hedgewatch/internal/services"
)

// cluster is a real API server with its storage: no kubelet, no scheduler and no
// controllers, whose parts the tests play.
type cluster struct {
	t       *testing.T
	dir     string
	url     string
	storage string
	admin   *clientset.Clientset
	api     *exec.Cmd
	log     bytes.Buffer
}

// program finds a program that `make realparts` builds.
func program(t *testing.T, variable, name string) string {
	t.Helper()
	path := os.Getenv(variable)
	if path == "" {
		path = filepath.Join("..", "..", "..", ".cache", "bin", name)
	}
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("REALPARTS") == "all" {
			t.Fatalf("missing: %s; run make realparts", name)
		}
		t.Skipf("missing: %s; run make realparts", name)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func startCluster(t *testing.T) *cluster {
	t.Helper()
	etcd, api := program(t, "ETCD", "etcd"), program(t, "KUBE_APISERVER", "kube-apiserver")
	c := &cluster{t: t, dir: t.TempDir()}
	client, peer, secure := freePort(t), freePort(t), freePort(t)
	c.storage, c.url = "http://127.0.0.1:"+client, "https://127.0.0.1:"+secure
	c.key()
	c.write("tokens.csv", "admintoken,admin,admin,\"system:masters\"\n")
	c.start(exec.Command(etcd, "--data-dir", c.path("etcd"), "--listen-client-urls", c.storage, "--advertise-client-urls", c.storage,
		"--listen-peer-urls", "http://127.0.0.1:"+peer, "--initial-advertise-peer-urls", "http://127.0.0.1:"+peer,
		"--initial-cluster", "default=http://127.0.0.1:"+peer, "--unsafe-no-fsync", "--log-level", "warn"))
	c.api = exec.Command(api, "--etcd-servers="+c.storage, "--bind-address=127.0.0.1", "--secure-port="+secure, "--cert-dir="+c.path("certs"),
		"--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none", "--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file="+c.path("sa.key"), "--service-account-signing-key-file="+c.path("sa.key"),
		"--token-auth-file="+c.path("tokens.csv"), "--authorization-mode=RBAC", "--disable-admission-plugins=ServiceAccount",
		"--service-cluster-ip-range=10.0.0.0/24", "--shutdown-delay-duration=0s")
	c.start(c.api)
	var err error
	c.admin, err = clientset.NewForConfig(c.config("admintoken"))
	if err != nil {
		t.Fatal(err)
	}
	c.ready()
	return c
}

func (c *cluster) path(name string) string { return filepath.Join(c.dir, name) }

func (c *cluster) write(name, text string) string {
	c.t.Helper()
	if err := os.WriteFile(c.path(name), []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
	return c.path(name)
}

// key makes the key that signs the tokens of service accounts.
func (c *cluster) key() {
	c.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		c.t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		c.t.Fatal(err)
	}
	c.write("sa.key", string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})))
}

func (c *cluster) start(cmd *exec.Cmd) {
	c.t.Helper()
	cmd.Stdout, cmd.Stderr = &c.log, &c.log
	if strings.HasSuffix(cmd.Path, "etcd") {
		cmd.Stdout, cmd.Stderr = nil, nil // Two processes do not share a buffer.
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { c.end(cmd) })
}

// end ends a process as a machine does that fails.
func (c *cluster) end(cmd *exec.Cmd) {
	if cmd.ProcessState == nil {
		_ = cmd.Process.Kill() // It may have ended.
		_ = cmd.Wait()
	}
}

// restart starts the API server again, as it was.
func (c *cluster) restart() {
	c.t.Helper()
	c.api = exec.Command(c.api.Path, c.api.Args[1:]...)
	c.start(c.api)
	c.ready()
}

func (c *cluster) ready() {
	c.t.Helper()
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		// Both are there once its start is through.
		err := c.admin.RESTClient().Get().AbsPath("/readyz").Do(c.t.Context()).Error()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			c.end(c.api)
			c.t.Fatalf("the API server does not start: %v\n%s", err, c.log.String())
		}
	}
}

func (c *cluster) config(token string) *rest.Config {
	return &rest.Config{Host: c.url, BearerToken: token, TLSClientConfig: rest.TLSClientConfig{Insecure: true}, QPS: 1000, Burst: 1000}
}

// kubeconfig returns a file with which token is used, and the certificate
// checked.
func (c *cluster) kubeconfig(token string) string {
	return c.write("kubeconfig", fmt.Sprintf("apiVersion: v1\nkind: Config\ncurrent-context: x\ncontexts: [{name: x, context: {cluster: x, user: x}}]\n"+
		"clusters: [{name: x, cluster: {server: %q, certificate-authority: %q}}]\nusers: [{name: x, user: {token: %q}}]\n", c.url, c.path("certs/apiserver.crt"), token))
}

func (c *cluster) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// account applies the rights that deploy/ has, and returns a token of their
// account.
func (c *cluster) account() string {
	c.t.Helper()
	const namespace = "monitoring"
	text, err := os.ReadFile("../../../deploy/kubernetes/rbac.yaml")
	c.must(err)
	create := metav1.CreateOptions{}
	c.namespace(namespace)
	account := ""
	for part := range bytes.SplitSeq(text, []byte("\n---\n")) {
		var kind metav1.TypeMeta
		c.must(yaml.UnmarshalStrict(part, &map[string]any{}))
		c.must(yaml.Unmarshal(part, &kind))
		switch kind.Kind {
		case "ServiceAccount":
			var o corev1.ServiceAccount
			c.must(yaml.UnmarshalStrict(part, &o))
			account = o.Name
			_, err = c.admin.CoreV1().ServiceAccounts(namespace).Create(c.t.Context(), &o, create)
		case "ClusterRole":
			var o rbacv1.ClusterRole
			c.must(yaml.UnmarshalStrict(part, &o))
			_, err = c.admin.RbacV1().ClusterRoles().Create(c.t.Context(), &o, create)
		case "ClusterRoleBinding":
			var o rbacv1.ClusterRoleBinding
			c.must(yaml.UnmarshalStrict(part, &o))
			_, err = c.admin.RbacV1().ClusterRoleBindings().Create(c.t.Context(), &o, create)
		default:
			c.t.Fatalf("rbac.yaml has a %q, which this test does not apply", kind.Kind)
		}
		c.must(err)
	}
	token, err := c.admin.CoreV1().ServiceAccounts(namespace).CreateToken(c.t.Context(), account, &authenticationv1.TokenRequest{}, create)
	c.must(err)
	return token.Status.Token
}

func (c *cluster) namespace(name string) {
	c.t.Helper()
	_, err := c.admin.CoreV1().Namespaces().Create(c.t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	c.must(err)
}

// pod creates p and has the kubelet's part say that it runs.
func (c *cluster) pod(p *corev1.Pod) {
	c.t.Helper()
	status := p.Status
	for i := range p.OwnerReferences {
		p.OwnerReferences[i].APIVersion, p.OwnerReferences[i].UID = "apps/v1", types.UID(p.OwnerReferences[i].Name)
	}
	_, err := c.admin.CoreV1().Pods(p.Namespace).Create(c.t.Context(), p, metav1.CreateOptions{})
	c.must(err)
	c.status(p, status)
}

// status is what a kubelet does.
func (c *cluster) status(p *corev1.Pod, status corev1.PodStatus) {
	c.t.Helper()
	patch, err := json.Marshal(map[string]any{"status": status})
	c.must(err)
	_, err = c.admin.CoreV1().Pods(p.Namespace).Patch(c.t.Context(), p.Name, types.MergePatchType, patch, metav1.PatchOptions{}, "status")
	c.must(err)
}

func (b *board) pod(name string) services.Status {
	for _, s := range b.Overview().Services {
		if s.Instance == name {
			return s
		}
	}
	return services.Status{}
}

// lockedBuffer is a log that is read while it is written.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func TestRealCluster(t *testing.T) {
	c := startCluster(t)
	token := c.account()
	c.namespace("prod")
	said := &lockedBuffer{}
	b := watchWith(t, c.kubeconfig(token), said)
	b.sees()

	t.Run("the rights of deploy are enough, and no more", func(t *testing.T) {
		own, err := clientset.NewForConfig(c.config(token))
		c.must(err)
		may := func(verb, resource, sub string) bool {
			review, err := own.AuthorizationV1().SelfSubjectAccessReviews().Create(t.Context(), &authorizationv1.SelfSubjectAccessReview{
				Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
					Namespace: "prod", Verb: verb, Resource: resource, Subresource: sub,
				}},
			}, metav1.CreateOptions{})
			c.must(err)
			return review.Status.Allowed
		}
		for _, need := range [][3]string{{"list", "pods", ""}, {"watch", "pods", ""}, {"list", "events", ""}, {"watch", "events", ""}, {"list", "nodes", ""}, {"watch", "nodes", ""}, {"get", "pods", "log"}} {
			if !may(need[0], need[1], need[2]) {
				t.Errorf("got no right to %v, which the watcher needs", need)
			}
		}
		for _, excess := range [][3]string{{"get", "secrets", ""}, {"list", "secrets", ""}, {"get", "configmaps", ""}, {"delete", "pods", ""}, {"create", "pods", "exec"}, {"patch", "pods", ""}, {"get", "nodes", "proxy"}} {
			if may(excess[0], excess[1], excess[2]) {
				t.Errorf("got the right to %v, which nobody needs", excess)
			}
		}
	})
	t.Run("a pod through its states", func(t *testing.T) {
		p := newPod("order-feed", "a")
		c.pod(p)
		b.eventually("it runs", func() bool { return b.pod(p.Name).State == services.StateRunning })
		if s := b.pod(p.Name); s.Service != "order-feed" || s.Namespace != "prod" {
			t.Errorf("got %+v, want the name of its Deployment", s)
		}
		start := time.Now()
		c.status(p, crashed(p, 1, corev1.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled"}).Status)
		in := b.incident("service/kubernetes/prod/order-feed/app")
		t.Logf("incident %s after the status", time.Since(start).Round(time.Millisecond))
		if in.Annotations["cause"] != "resource" {
			t.Errorf("got %v, want an OOM", in.Annotations)
		}
		b.eventually("it backs off", func() bool {
			s := b.pod(p.Name)
			return s.State == services.StateBackingOff && s.Restarts == 1 && !s.NextRestart.IsZero() && s.LastExit.OOM
		})
		c.status(p, newPod("order-feed", "a").Status)
		b.eventually("it recovers", func() bool { return b.pod(p.Name).State == services.StateRecovering })
		now := int64(0)
		c.must(c.admin.CoreV1().Pods("prod").Delete(t.Context(), p.Name, metav1.DeleteOptions{GracePeriodSeconds: &now}))
		b.eventually("it is forgotten, and its incident over", func() bool {
			b.mu.Lock()
			defer b.mu.Unlock()
			_, open := b.raised["service/kubernetes/prod/order-feed/app"]
			return !open && b.pod(p.Name).Instance == ""
		})
	})
	t.Run("events tell of the probe", func(t *testing.T) {
		p := newPod("order-probed", "a")
		c.pod(p)
		b.eventually("it runs", func() bool { return b.pod(p.Name).State == services.StateRunning })
		for i, e := range [][2]string{{"Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 503"}, {"Killing", "Container app failed liveness probe, will be restarted"}} {
			_, err := c.admin.CoreV1().Events("prod").Create(t.Context(), &corev1.Event{
				ObjectMeta:     metav1.ObjectMeta{Name: fmt.Sprint(p.Name, ".", i), Namespace: "prod"},
				InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: "prod", Name: p.Name, FieldPath: "spec.containers{app}"},
				Reason:         e[0], Message: e[1], Type: "Warning", FirstTimestamp: metav1.Now(), LastTimestamp: metav1.Now(), Count: 1,
			}, metav1.CreateOptions{})
			c.must(err)
		}
		c.status(p, crashed(p, 1, corev1.ContainerStateTerminated{ExitCode: 137, Reason: "Error"}).Status)
		b.eventually("the probe is the cause", func() bool {
			b.mu.Lock()
			defer b.mu.Unlock()
			in, ok := b.raised["service/kubernetes/prod/order-probed/app"]
			return ok && in.Annotations["cause"] == "probe" && strings.Contains(in.Annotations["evidence"], "503")
		})
	})
	t.Run("a rollout is the last change", func(t *testing.T) {
		c.pod(newPod("order-api", "old"))
		b.eventually("it runs", func() bool { return b.pod("order-api-6f7c9-old").State == services.StateRunning })
		p := newPod("order-api", "new")
		p.Name, p.Labels = "order-api-77d4b-new", map[string]string{"pod-template-hash": "77d4b"}
		p.OwnerReferences[0].Name = "order-api-77d4b"
		p.Spec.Containers[0].Image, p.Status.ContainerStatuses[0].Image = "app:2", "app:2"
		c.pod(p)
		b.eventually("it runs", func() bool { return b.pod(p.Name).State == services.StateRunning })
		c.status(p, crashed(p, 1, corev1.ContainerStateTerminated{ExitCode: 2, Reason: "Error"}).Status)
		in := b.incident("service/kubernetes/prod/order-api/app")
		if !strings.Contains(in.Annotations["last_change"], "app:1 to app:2") {
			t.Errorf("got %v, want the new image as the last change", in.Annotations)
		}
	})
	// A server that has just started knows no rights for a moment.
	if text := said.String(); strings.Contains(text, "forbidden") {
		t.Errorf("got %s, want nothing forbidden", text)
	}
	t.Run("a lost API server brings no false alert", func(t *testing.T) {
		for i := range 30 {
			p := newPod("order-steady", fmt.Sprint(i))
			p.Status.ContainerStatuses[0].RestartCount = 5
			p.Status.ContainerStatuses[0].LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ExitCode: 1, Reason: "Error", FinishedAt: metav1.NewTime(time.Now().Add(-3 * time.Hour))}
			c.pod(p)
		}
		steady := func() (n int) {
			for _, s := range b.Overview().Services {
				if s.Service == "order-steady" && s.State == services.StateRunning && s.Restarts == 5 {
					n++
				}
			}
			return n
		}
		b.eventually("all run", func() bool { return steady() == 30 })
		c.end(c.api)
		b.eventually("it is blind", func() bool { return !b.Overview().Watchers[0].Sees })
		c.restart()
		b.eventually("it sees again", func() bool { return b.Overview().Watchers[0].Sees })
		c.status(newPod("order-steady", "3"), crashed(newPod("order-steady", "3"), 6, corev1.ContainerStateTerminated{ExitCode: 1, Reason: "Error"}).Status)
		in := b.incident("service/kubernetes/prod/order-steady/app")
		if strings.Contains(in.Annotations["description"], "of 30 instances fail") {
			t.Errorf("got %q, want the one instance that crashed since", in.Annotations["description"])
		}
		if n := steady(); n != 29 {
			t.Errorf("got %d that run on, want 29", n)
		}
	})
}

// Without rights the watcher says what it may not, and takes up its work when it
// may.
func TestRealClusterWithoutRights(t *testing.T) {
	c := startCluster(t)
	c.namespace("prod")
	c.namespace("monitoring")
	_, err := c.admin.CoreV1().ServiceAccounts("monitoring").Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "hedgewatch"}}, metav1.CreateOptions{})
	c.must(err)
	token, err := c.admin.CoreV1().ServiceAccounts("monitoring").CreateToken(t.Context(), "hedgewatch", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	c.must(err)
	b := watchWith(t, c.kubeconfig(token.Status.Token), io.Discard)
	b.blind(`User "system:serviceaccount:monitoring:hedgewatch" cannot`)
}
