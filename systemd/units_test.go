package systemd

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/coreos/go-systemd/v22/unit"
)

// options reads a unit file into "Section/Key" and its values joined by spaces.
func options(t *testing.T, path string) map[string]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	list, err := unit.DeserializeOptions(f)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	m := map[string]string{}
	for _, o := range list {
		key := o.Section + "/" + o.Name
		m[key] = strings.TrimSpace(m[key] + " " + o.Value)
	}
	return m
}

func ourUnits(t *testing.T) map[string]map[string]string {
	t.Helper()
	paths, err := filepath.Glob("units/bootswain*")
	if err != nil || len(paths) < 6 {
		t.Fatalf("our units: %q, %v", paths, err)
	}
	units := map[string]map[string]string{}
	for _, p := range paths {
		units[filepath.Base(p)] = options(t, p)
	}
	return units
}

// TestUnitsKeepStill: with bootswain=off nothing of ours runs.
func TestUnitsKeepStill(t *testing.T) {
	for name, o := range ourUnits(t) {
		if o["Unit/ConditionKernelCommandLine"] != "!bootswain=off" {
			t.Errorf("%s starts with bootswain=off", name)
		}
	}
}

// TestUnitsDelayNobody: a unit with default dependencies that multi-user.target
// wants is waited for by it.
func TestUnitsDelayNobody(t *testing.T) {
	for name, o := range ourUnits(t) {
		if o["Install/WantedBy"] == "multi-user.target" && o["Unit/DefaultDependencies"] != "no" {
			t.Errorf("multi-user.target waits for %s", name)
		}
		stops := o["Unit/Conflicts"]
		if o["Unit/DefaultDependencies"] == "no" && (stops == "" || !strings.Contains(o["Unit/Before"], stops)) {
			t.Errorf("%s is not stopped in order at shutdown", name)
		}
		if strings.HasSuffix(name, ".service") && o["Service/LimitCORE"] != "0" {
			t.Errorf("%s may leave a core with a key in it", name)
		}
	}
}

// TestOrder: what deadlocks or makes a cycle, and what must be.
func TestOrder(t *testing.T) {
	u := ourUnits(t)
	after := func(a, b string) bool { return strings.Contains(" "+u[a]["Unit/After"]+" ", " "+b+" ") }
	for _, pair := range [][2]string{
		{"bootswain.service", HoldUnit}, {HoldUnit, "systemd-udevd.service"}, {StorageTarget, "bootswain.service"},
	} {
		if !after(pair[0], pair[1]) {
			t.Errorf("%s must come after %s", pair[0], pair[1])
		}
	}
	for _, pair := range [][2]string{
		{"bootswain.service", "bootswain-access.service"}, {"bootswain-access.service", "bootswain.service"},
		{HoldUnit, "local-fs.target"}, {HoldUnit, "sysinit.target"},
	} {
		if after(pair[0], pair[1]) {
			t.Errorf("%s must not come after %s", pair[0], pair[1])
		}
	}
	// cloud-init's stage that makes users and file systems, by its names before and
	// since 24.3.
	for _, unit := range []string{"bootswain.service", "bootswain-access.service"} {
		for _, cloudInit := range []string{"cloud-init.service", "cloud-init-network.service"} {
			if !after(unit, cloudInit) {
				t.Errorf("%s must come after %s", unit, cloudInit)
			}
		}
	}
	if strings.Contains(MountUnit{What: "a", Where: "/a", Type: "xfs", Required: true}.String(), "bootswain.service") {
		t.Error("a mount after the daemon that starts it waits for itself")
	}
}

// TestAfterCloudInit: cloud-init makes users and file systems too, and goes first,
// under its old names of units and under those since 24.3.
func TestAfterCloudInit(t *testing.T) {
	u := ourUnits(t)
	for _, name := range []string{"bootswain.service", "bootswain-access.service"} {
		for _, first := range []string{"cloud-init.service", "cloud-init-network.service"} {
			if !slices.Contains(strings.Fields(u[name]["Unit/After"]), first) {
				t.Errorf("%s does not come after %s", name, first)
			}
		}
	}
}

// TestDaemonHasNoMountNamespace: it would keep a volume's mounts busy.
func TestDaemonHasNoMountNamespace(t *testing.T) {
	for _, name := range []string{"bootswain.service", HoldUnit} {
		o := ourUnits(t)[name]
		for key := range o {
			k := strings.TrimPrefix(key, "Service/")
			if strings.HasPrefix(k, "Private") || strings.HasPrefix(k, "Protect") || strings.HasSuffix(k, "Paths") {
				t.Errorf("%s sets %s", name, k)
			}
		}
	}
}

// TestDaemonMayAskTheClock: what comes later takes a call off the list of those
// that are refused.
func TestDaemonMayAskTheClock(t *testing.T) {
	o := ourUnits(t)["bootswain.service"]
	if f := o["Service/SystemCallFilter"]; !strings.HasPrefix(f, "~@clock ") || !strings.HasSuffix(f, " adjtimex") {
		t.Errorf("calls are filtered by %q", f)
	}
	if c := o["Service/CapabilityBoundingSet"]; !strings.HasPrefix(c, "~") || !strings.Contains(c, "CAP_SYS_TIME") {
		t.Errorf("the daemon may set the clock: %q", c)
	}
}

func TestDatabaseDropIns(t *testing.T) {
	want := options(t, "units/mariadb.service.d/50-bootswain.conf")
	if c := want["Service/ExecCondition"]; c != "+/usr/bin/bootswain mysql gate" {
		t.Errorf("the gate is %q", c)
	}
	var mounts []string
	for _, place := range []string{"", "/#binary_logs", "/#redo_log", "/#tmpdir"} {
		mounts = append(mounts, MountName("/var/lib/mysql"+place))
	}
	if p := want["Unit/PartOf"]; p != strings.Join(mounts, " ") {
		t.Errorf("the server is part of %q", p)
	}
	for key, value := range map[string]string{"TimeoutStartSec": "infinity", "TimeoutStopSec": "5min", "SendSIGKILL": "yes"} {
		if got := want["Service/"+key]; got != value {
			t.Errorf("%s=%s, want %s", key, got, value)
		}
	}
	for _, name := range []string{"mysql", "mysqld"} {
		a, errA := os.ReadFile("units/" + name + ".service.d/50-bootswain.conf")
		b, errB := os.ReadFile("units/mariadb.service.d/50-bootswain.conf")
		if errA != nil || errB != nil || string(a) != string(b) {
			t.Errorf("the drop-ins of %s and mariadb differ: %v, %v", name, errA, errB)
		}
	}
}

// TestPreset: exactly what can be enabled is.
func TestPreset(t *testing.T) {
	preset, err := os.ReadFile("50-bootswain.preset")
	if err != nil {
		t.Fatal(err)
	}
	for name, o := range ourUnits(t) {
		enabled := strings.Contains(string(preset), "enable "+name+"\n")
		if installable := o["Install/WantedBy"] != ""; enabled != installable {
			t.Errorf("%s: in the preset %v, with an [Install] section %v", name, enabled, installable)
		}
	}
}

// TestHealthIsSandboxed: systemd's own measure of what the one process that the
// network reaches could do; 10 is everything. The limit is in tenths.
func TestHealthIsSandboxed(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("no systemd-analyze here")
	}
	out, err := exec.Command(analyze, "security", "--offline=true", "--threshold=15", "--no-pager", "units/bootswain-health.service").CombinedOutput()
	if err != nil {
		t.Errorf("more exposed than 1.5: %v\n%s", err, out)
	}
}
