package spec

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

var update = flag.Bool("update", false, "record new documents of the corpus, and write what is generated")

// corpus is every document that version 1 is known to take or to refuse. It may
// only grow: what once was launch data stays launch data.
const corpus = "testdata/v1"

// manifest has a line for each file of the corpus: its hash, two spaces, its name.
const manifest = corpus + "/SHA256SUMS"

func names(t *testing.T, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(corpus, pattern))
	if err != nil || len(found) == 0 {
		t.Fatalf("no documents %s: %v", pattern, err)
	}
	return found
}

func contents(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestCorpusGood(t *testing.T) {
	s := compile(t, Schema())
	for _, name := range names(t, "good/*.yaml") {
		doc := contents(t, name)
		if _, err := Parse(doc); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := s.Validate(instance(t, doc)); err != nil {
			t.Errorf("%s: the schema refuses it: %v", name, err)
		}
	}
}

// TestCorpusBad expects the recorded faults, and that an editor with the schema
// shows something in each document but those in beyond-schema.
func TestCorpusBad(t *testing.T) {
	s := compile(t, Schema())
	var beyond []string
	for _, name := range names(t, "bad/*.yaml") {
		doc, record := contents(t, name), strings.TrimSuffix(name, ".yaml")+".faults"
		_, err := Parse(doc)
		var faults *Errors
		if !errors.As(err, &faults) {
			t.Errorf("%s: got %v, want faults", name, err)
			continue
		}
		if _, err := os.Stat(record); errors.Is(err, fs.ErrNotExist) && *update {
			write(t, record, faults.Long())
		}
		if want := string(contents(t, record)); faults.Long() != want {
			t.Errorf("%s: got\n%swant\n%s", name, faults.Long(), want)
		}
		if bytes.Contains([]byte(faults.Long()), []byte("not valid YAML")) {
			continue
		}
		if s.Validate(instance(t, doc)) == nil {
			beyond = append(beyond, filepath.Base(name))
		}
	}
	list := corpus + "/beyond-schema"
	got := strings.Join(beyond, "\n") + "\n"
	if *update {
		write(t, list, got)
	}
	if want := string(contents(t, list)); got != want {
		t.Errorf("the schema takes these:\n%swant\n%s", got, want)
	}
}

// TestCorpusOnlyGrows refuses a document that was changed or taken away. With
// -update it records new ones, and only these.
func TestCorpusOnlyGrows(t *testing.T) {
	recorded := map[string]string{}
	for line := range strings.Lines(string(contents(t, manifest))) {
		sum, name, ok := strings.Cut(strings.TrimSpace(line), "  ")
		if !ok {
			t.Fatalf("%s: %q", manifest, line)
		}
		recorded[name] = sum
	}
	var fresh []string
	for _, file := range slices.Concat(names(t, "good/*"), names(t, "bad/*")) {
		name, sum := strings.TrimPrefix(file, corpus+"/"), fmt.Sprintf("%x", sha256.Sum256(contents(t, file)))
		switch was, ok := recorded[name]; {
		case !ok && *update:
			fresh = append(fresh, sum+"  "+name+"\n")
		case !ok:
			t.Errorf("%s is not recorded: go test ./spec -update", name)
		case was != sum:
			t.Errorf("%s was changed; add another document instead", name)
		}
		delete(recorded, name)
	}
	for name := range recorded {
		t.Errorf("%s was taken away", name)
	}
	if *update {
		write(t, manifest, string(contents(t, manifest))+strings.Join(fresh, ""))
	}
}

func compile(t *testing.T, schema map[string]any) *jsonschema.Schema {
	t.Helper()
	text, err := json.Marshal(schema)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("launch-data.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("launch-data.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// instance is the document as an editor's YAML reader hands it to the schema:
// times are text to it.
func instance(t *testing.T, doc []byte) any {
	t.Helper()
	var n yaml.Node
	if err := yaml.Unmarshal(doc, &n); err != nil {
		t.Fatal(err)
	}
	return plain(&n)
}

func plain(n *yaml.Node) any {
	switch n.Kind {
	case yaml.DocumentNode:
		return plain(n.Content[0])
	case yaml.AliasNode:
		return plain(n.Alias)
	case yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			m[n.Content[i].Value] = plain(n.Content[i+1])
		}
		return m
	case yaml.SequenceNode:
		list := []any{}
		for _, c := range n.Content {
			list = append(list, plain(c))
		}
		return list
	case yaml.ScalarNode:
		switch n.ShortTag() {
		case "!!bool":
			return n.Value == "true"
		case "!!int", "!!float":
			return json.Number(n.Value)
		case "!!null":
			return nil
		}
		return n.Value
	}
	return nil
}
