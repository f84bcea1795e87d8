package host

import (
	"os"
	"os/exec"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// inOwnProcess runs the calling test again in a process of its own, because
// node_exporter's collectors can be configured once per process. It reports
// whether this is that process; the caller returns otherwise.
func inOwnProcess(t *testing.T, adjust ...func(*exec.Cmd)) bool {
	t.Helper()
	const variable = "HEDGEWATCH_TEST_IN_OWN_PROCESS"
	if os.Getenv(variable) == t.Name() {
		return true
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=60s")
	cmd.Env = append(os.Environ(), variable+"="+t.Name())
	for _, f := range adjust {
		f(cmd)
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("in its own process: %v\n%s", err, out)
	}
	t.Logf("%s", out)
	return false
}
