package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// TestPackerTemplate reads the template as Packer does, and holds that each of its
// scripts is one, that bootswain takes its commands, and that they are the last
// that is done.
func TestPackerTemplate(t *testing.T) {
	file, faults := hclparse.NewParser().ParseHCLFile("../../packaging/packer/bootswain.pkr.hcl")
	if faults.HasErrors() {
		t.Fatal(faults)
	}
	identity := filepath.Join(t.TempDir(), "identity")
	if err := os.WriteFile(identity, []byte("AGE-SECRET-KEY-…\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		set       map[string]cty.Value
		commands  []string // of bootswain's
		content   string   // of the identity's file on the machine that builds
		encrypted cty.Value
	}{
		"its own identity": {nil, []string{"bootswain image prepare", "bootswain image check"}, "none\n", cty.True},
		"one that is given": {map[string]cty.Value{"identity": cty.StringVal(identity)},
			[]string{"bootswain image prepare --identity /dev/shm/identity", "bootswain image check"}, "AGE-SECRET-KEY-…\n", cty.True},
		"for others": {map[string]cty.Value{"public": cty.True}, []string{"bootswain image prepare --public", "bootswain image check --public"}, "none\n", cty.False},
	} {
		t.Run(name, func(t *testing.T) {
			p := packer{t, variables(t, file, c.set)}
			if got := p.of(blocks(file, "source")[0], "encrypt_boot"); got != c.encrypted {
				t.Errorf("encrypt_boot is %#v", got)
			}
			steps := blocks(blocks(file, "build")[0], "provisioner")
			var commands, lines []string
			for _, step := range steps {
				if step.Labels[0] == "shell" {
					lines = p.script(step)
				}
				if to := step.Body.Attributes["destination"]; to != nil && p.value(to.Expr).AsString() == "/dev/shm/identity" && p.of(step, "content").AsString() != c.content {
					t.Errorf("the identity is %q", p.of(step, "content").AsString())
				}
			}
			for _, line := range lines {
				if strings.HasPrefix(line, "bootswain ") {
					commands = append(commands, line)
					p.taken(line)
				}
			}
			if last := steps[len(steps)-1]; last.Labels[0] != "shell" || !slices.Equal(commands, c.commands) || lines[len(lines)-1] != commands[len(commands)-1] {
				t.Errorf("last of all is %q, want %q", lines, c.commands)
			}
			if !slices.Contains(lines, "rm /dev/shm/identity") {
				t.Error("the identity's file stays")
			}
		})
	}
}

// packer evaluates a template.
type packer struct {
	*testing.T
	eval *hcl.EvalContext
}

// blocks returns the blocks of a kind.
func blocks(in any, kind string) (found []*hclsyntax.Block) {
	var body *hclsyntax.Body
	switch in := in.(type) {
	case *hcl.File:
		body = in.Body.(*hclsyntax.Body)
	case *hclsyntax.Block:
		body = in.Body
	}
	for _, b := range body.Blocks {
		if b.Type == kind {
			found = append(found, b)
		}
	}
	return found
}

// variables are those that the template declares, with their defaults; what has
// none is given a text.
func variables(t *testing.T, file *hcl.File, set map[string]cty.Value) *hcl.EvalContext {
	values := map[string]cty.Value{}
	for _, b := range blocks(file, "variable") {
		name := b.Labels[0]
		values[name] = cty.StringVal("given")
		if d := b.Body.Attributes["default"]; d != nil {
			values[name] = packer{t, nil}.value(d.Expr)
		}
		if v, ok := set[name]; ok {
			values[name] = v
		}
	}
	read := function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}}, Type: function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			text, err := os.ReadFile(args[0].AsString())
			return cty.StringVal(string(text)), err
		},
	})
	return &hcl.EvalContext{Variables: map[string]cty.Value{"var": cty.ObjectVal(values)}, Functions: map[string]function.Function{"file": read}}
}

func (p packer) value(e hcl.Expression) cty.Value {
	p.Helper()
	v, faults := e.Value(p.eval)
	if faults.HasErrors() {
		p.Fatal(faults)
	}
	return v
}

func (p packer) of(b *hclsyntax.Block, name string) cty.Value {
	p.Helper()
	return p.value(b.Body.Attributes[name].Expr)
}

// script returns the lines of a step that the shell takes.
func (p packer) script(step *hclsyntax.Block) (lines []string) {
	for _, line := range p.of(step, "inline").AsValueSlice() {
		lines = append(lines, strings.TrimSpace(line.AsString()))
	}
	shell := exec.CommandContext(p.Context(), "sh", "-n")
	shell.Stdin = strings.NewReader(strings.Join(lines, "\n"))
	if out, err := shell.CombinedOutput(); err != nil {
		p.Errorf("sh does not take %q: %s", lines, out)
	}
	return lines
}

// taken holds that bootswain has a command, and its flags.
func (p packer) taken(line string) {
	c, rest, err := newRoot().Find(strings.Fields(line)[1:])
	if err == nil {
		err = c.ParseFlags(rest)
	}
	if err == nil {
		err = c.ValidateArgs(c.Flags().Args())
	}
	if err != nil {
		p.Errorf("%s: %v", line, err)
	}
}
