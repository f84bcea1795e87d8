// Package deploy_test checks what is handed out for deployment: manifests against
// Kubernetes' own types, the unit against systemd, and the configurations in them
// against hedgewatch.
package deploy_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/common/promslog"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/hedgewatch/hedgewatch/internal/alerting"
	"github.com/hedgewatch/hedgewatch/internal/config"
	_ "github.com/hedgewatch/hedgewatch/internal/scraper" // Brings the discovery of targets.
)

// objects decodes all manifests; a field that Kubernetes does not know is an error.
func objects(t *testing.T) map[string][]runtime.Object {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, appsv1.AddToScheme, rbacv1.AddToScheme, networkingv1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
	paths, err := filepath.Glob("kubernetes/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("got manifests %v, error %v; want some", paths, err)
	}
	all := map[string][]runtime.Object{}
	for _, path := range paths {
		if filepath.Base(path) == "kustomization.yaml" {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		documents := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
		for {
			document, err := documents.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			object, _, err := decoder.Decode(document, nil, nil)
			if err != nil {
				t.Errorf("%s: %v", path, err)
				continue
			}
			all[filepath.Base(path)] = append(all[filepath.Base(path)], object)
		}
	}
	return all
}

func TestManifestsFitTogether(t *testing.T) {
	all := objects(t)
	kustomization, err := os.ReadFile("kubernetes/kustomization.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name := range all {
		if !strings.Contains(string(kustomization), "- "+name+"\n") {
			t.Errorf("kustomization.yaml leaves out %s", name)
		}
	}
	set := all["statefulset.yaml"][0].(*appsv1.StatefulSet)
	service := all["service.yaml"][0].(*corev1.Service)
	for key, value := range service.Spec.Selector {
		if set.Spec.Template.Labels[key] != value {
			t.Errorf("the service selects %s=%s, which no pod has", key, value)
		}
	}
	container := set.Spec.Template.Spec.Containers[0]
	if c := container.SecurityContext; !*c.ReadOnlyRootFilesystem || *c.AllowPrivilegeEscalation || !*set.Spec.Template.Spec.SecurityContext.RunAsNonRoot {
		t.Error("the container may do more than it needs")
	}
	for _, rule := range all["rbac.yaml"][1].(*rbacv1.ClusterRole).Rules {
		for _, verb := range rule.Verbs {
			if verb != "get" && verb != "list" && verb != "watch" {
				t.Errorf("the role may %s %v", verb, rule.Resources)
			}
		}
		for _, resource := range rule.Resources {
			if resource == "secrets" || resource == "configmaps" {
				t.Errorf("the role may read %s", resource)
			}
		}
	}
}

func TestConfigurationsLoad(t *testing.T) {
	alerting.InitMatchers(promslog.NewNopLogger())
	load := func(name, text string) {
		t.Helper()
		secret := filepath.Join(t.TempDir(), "discord")
		if err := os.WriteFile(secret, []byte("https://discord.example/api/webhooks/1/x"), 0o600); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "hedgewatch.yml")
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(text, "/etc/hedgewatch/secrets/discord", secret)), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := config.Load(path, config.Options{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	text, err := os.ReadFile("hedgewatch.yml")
	if err != nil {
		t.Fatal(err)
	}
	load("hedgewatch.yml", string(text))
	load("kubernetes/config.yaml", objects(t)["config.yaml"][0].(*corev1.ConfigMap).Data["hedgewatch.yml"])
}

// Grafana's alerts come in by the API that its contact point speaks.
func TestGrafanaIsProvisioned(t *testing.T) {
	read := func(path string, into any) {
		t.Helper()
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.UnmarshalStrict(text, into); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	var points struct {
		APIVersion    int `json:"apiVersion"`
		ContactPoints []struct {
			OrgID     int `json:"orgId"`
			Name      string
			Receivers []struct {
				UID, Type string
				Settings  struct{ URL string }
			}
		} `json:"contactPoints"`
		Policies []struct {
			OrgID    int `json:"orgId"`
			Receiver string
			GroupBy  []string `json:"group_by"`
		}
	}
	read("grafana/alerting/hedgewatch.yaml", &points)
	if got := points.ContactPoints[0]; got.Name != points.Policies[0].Receiver || got.Receivers[0].Type != "prometheus-alertmanager" {
		t.Errorf("got contact point %+v, which the policy does not name or Grafana does not know", got)
	}
	var sources struct {
		APIVersion  int `json:"apiVersion"`
		Datasources []struct {
			Name, UID, Type, Access, URL string
			IsDefault                    bool
			JSONData                     map[string]any `json:"jsonData"`
			SecureJSONData               map[string]any `json:"secureJsonData"`
		}
	}
	read("grafana/datasources/hedgewatch.yaml", &sources)
	for _, url := range []string{points.ContactPoints[0].Receivers[0].Settings.URL, sources.Datasources[0].URL, sources.Datasources[1].URL} {
		if !strings.HasPrefix(strings.NewReplacer("{", "", "}", "").Replace(url), "$HEDGEWATCH_URL") {
			t.Errorf("got URL %q, want that of $HEDGEWATCH_URL", url)
		}
	}
	if got := sources.Datasources[0].JSONData["alertmanagerUid"]; got != sources.Datasources[1].UID {
		t.Errorf("the Prometheus source names the Alertmanager %v, which is %q", got, sources.Datasources[1].UID)
	}
}

func TestUnitIsValid(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is missing; it comes with Debian's package systemd")
	}
	unit, err := os.ReadFile("systemd/hedgewatch.service")
	if err != nil {
		t.Fatal(err)
	}
	// It wants the program to exist.
	path := filepath.Join(t.TempDir(), "hedgewatch.service")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(unit), "/usr/local/bin/hedgewatch", "/bin/true")), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(analyze, "verify", path).CombinedOutput()
	if err != nil || strings.Contains(string(out), "hedgewatch.service:") {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}
