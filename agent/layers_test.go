package agent

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"bootswain/launch"
	"bootswain/spec"
)

func given(doc string) launch.Data { return launch.Data{Given: true, UserData: []byte(doc)} }

func TestReadRoleAndInclude(t *testing.T) {
	roles := t.TempDir()
	if err := os.WriteFile(filepath.Join(roles, "app.yaml"), []byte("version: 1\nenv: {PORT: 80, HOST: role}\nusers: [{name: dba}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := readWith(given(soundUser+"role: app\nenv: {HOST: here}\n"), roles)
	if want := []spec.Variable{{Name: "HOST", Value: "here"}, {Name: "PORT", Value: "80"}}; o.trouble != nil || len(o.spec.Env) != 2 || o.spec.Env[0] != want[0] || o.spec.Env[1] != want[1] || len(o.spec.Users) != 2 {
		t.Errorf("role: %+v, %v", o.spec, o.trouble)
	}
	o = readWith(given(soundUser+"role: ap\n"), roles)
	if want := `FAILED launch data 7:7: role "ap" is not in ` + roles + ` (app). No disk touched`; o.trouble == nil || !strings.HasPrefix(o.trouble.Error(), want) || len(o.spec.Users) != 1 || ExitCode(o.trouble) != ExitLaunchData {
		t.Errorf("no such role: %v, want %s", o.trouble, want)
	}
	d := given(soundUser + "role: app\ninclude: s3://launch/k\nenv: {HOST: here}\n")
	o = readWith(d, roles)
	if want := "WAITING launch data: s3://launch/k could not be read: it was not asked for yet. No disk touched"; o.trouble == nil || !strings.HasPrefix(o.trouble.Error(), want) || len(o.spec.Users) != 2 || o.spec.Env != nil {
		t.Errorf("not included yet: %v %+v, want %s", o.trouble, o.spec, want)
	}
	for _, text := range []string{"version: 1\nenv: {PORT: 81, MORE: x}\n", "#bootswain\nversion: 1\nenv: {PORT: 81, MORE: x}\n"} {
		d.Included = []byte(text)
		if o = readWith(d, roles); o.trouble != nil || len(o.spec.Env) != 3 || o.spec.Env[1] != (spec.Variable{Name: "PORT", Value: "81"}) {
			t.Errorf("included: %+v, %v", o.spec, o.trouble)
		}
	}
	d.Included = []byte("version: 1\nenvv: {}\n")
	if o = readWith(d, roles); o.trouble == nil || !strings.HasPrefix(o.trouble.Error(), "FAILED launch data s3://launch/k 2:1: envv unknown (env?)") {
		t.Errorf("faulty: %v", o.trouble)
	}
}

// TestEnvForShells has a shell read what is written. systemd unescapes the same
// four characters, systemd.exec(5).
func TestEnvForShells(t *testing.T) {
	path := filepath.Join(t.TempDir(), "env")
	value := "a \"b\" $HOME `id` \\ 'c' # ü"
	o := orders{spec: &spec.Spec{Env: []spec.Variable{{Name: "A", Value: value}, {Name: "B", Value: ""}}}}
	if err := publishEnv(path, o); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("sh", "-c", ". "+path+`; printf %s "$A|$B|"`).Output()
	if err != nil || string(out) != value+"||" {
		t.Errorf("a shell reads %q, %v, want %q", out, err, value+"||")
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := publishEnv(path, readWith(given("#bootswain\nversion: 2\n"), "")); err != nil {
		t.Fatal(err)
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
		t.Errorf("faulty launch data changed the parameters: %q, %v", after, err)
	}
}
