package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"bootswain/internal/atomicfile"
	"bootswain/internal/situation"
	"bootswain/launch"
	"bootswain/spec"
)

// layersOf returns the documents that make up the launch data, the uppermost
// first: itself, what it includes, its role. A role that is not in the
// directory is a fault of the document.
func layersOf(data launch.Data, roles string) ([]spec.Layer, error) {
	doc, err := launch.Unwrap(data.UserData)
	if err != nil {
		return nil, err
	}
	layers := []spec.Layer{{Text: doc}}
	role, include := spec.Below(doc)
	if include != "" && data.Included != nil {
		text, err := launch.Unwrap(data.Included)
		if errors.Is(err, launch.ErrNone) {
			text, err = data.Included, nil // it needs no first line that says whose it is
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", include, err)
		}
		layers = append(layers, spec.Layer{Name: include, Text: text})
	}
	if role == "" || strings.ContainsAny(role, "/.") {
		return layers, nil
	}
	below := spec.Layer{Name: "role " + role, Key: "role"}
	if below.Text, err = os.ReadFile(filepath.Join(roles, role+".yaml")); errors.Is(err, fs.ErrNotExist) {
		below.Lacks, below.Hint = fmt.Sprintf("%q is not in %s", role, roles), rolesIn(roles)
	} else if err != nil {
		return nil, fmt.Errorf("cannot read the role: %w", err)
	}
	return append(layers, below), nil
}

// rolesIn says which roles there are.
func rolesIn(dir string) string {
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil || len(files) == 0 {
		return "there are none"
	}
	for i, f := range files {
		files[i] = strings.TrimSuffix(filepath.Base(f), ".yaml")
	}
	return strings.Join(files, ", ")
}

// apart is the sentence for launch data of which a part is elsewhere and could
// not be read from there.
func apart(where string, err error) *situation.Situation {
	return &situation.Situation{
		Word: situation.Waiting, Subject: "launch data", Cause: err,
		Text: fmt.Sprintf("%s could not be read: %s. No disk touched; the users of the document that includes it can log in.", where, strings.TrimSuffix(err.Error(), ".")),
		Next: "bootswain doctor; tried again every 30s",
	}
}

// publishEnv writes the parameters of applications, for EnvironmentFile= and
// for shells. What systemd and a shell take for more than text is escaped. Of
// launch data that cannot be followed nothing is written: a parameter that is
// missing is noticed, a wrong one is not.
func publishEnv(path string, o orders) error {
	if o.trouble != nil {
		return nil
	}
	var b strings.Builder
	escape := strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`, "`", "\\`")
	for _, v := range o.spec.Env {
		fmt.Fprintf(&b, "%s=\"%s\"\n", v.Name, escape.Replace(v.Value))
	}
	if err := atomicfile.Write(path, []byte(b.String()), 0o644); err != nil {
		return fmt.Errorf("cannot write the applications' parameters: %w", err)
	}
	return nil
}
