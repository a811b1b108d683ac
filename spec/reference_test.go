package spec

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const (
	reference  = "../docs/launch-data.md"
	schemaFile = "../docs/launch-data.schema.json"
)

// TestReference compares the generated parts of the reference with the code.
// With -update it writes them.
func TestReference(t *testing.T) {
	const begin, end = "<!-- the table of keys: go test ./spec -update -->\n", "<!-- end -->"
	text := string(contents(t, reference))
	before, rest, ok := strings.Cut(text, begin)
	table, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table", reference)
	}
	schema, err := json.MarshalIndent(Schema(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		write(t, reference, before+begin+Reference()+end+after)
		write(t, schemaFile, string(schema)+"\n")
		return
	}
	if table != Reference() {
		t.Errorf("the table in %s is old: go test ./spec -update", reference)
	}
	if string(contents(t, schemaFile)) != string(schema)+"\n" {
		t.Errorf("%s is old: go test ./spec -update", schemaFile)
	}
}

// TestReferenceDocuments parses the documents that the reference shows. What a
// reader fills in ends there in an ellipsis.
func TestReferenceDocuments(t *testing.T) {
	s := compile(t, Schema())
	shown := regexp.MustCompile("(?s)```yaml\n(#bootswain\n.*?)```").FindAllStringSubmatch(string(contents(t, reference)), -1)
	if len(shown) < 4 {
		t.Fatalf("%d documents", len(shown))
	}
	for _, m := range shown {
		doc := fill(m[1])
		if _, err := Parse([]byte(doc)); err != nil {
			t.Errorf("%v in\n%s", err, doc)
		}
		if err := s.Validate(instance(t, []byte(doc))); err != nil {
			t.Errorf("%v in\n%s", err, doc)
		}
	}
}

// fill puts real values where a document shows the beginning of one.
func fill(doc string) string {
	return strings.NewReplacer(
		"ssh-ed25519 AAAA…", strings.Join(strings.Fields(key1)[:2], " "),
		"YWdlLWVuY3J5cHRpb24…", sealed64, "age1…", nobody.Recipient().String(),
	).Replace(doc)
}

// TestExamples validates the example of every key.
func TestExamples(t *testing.T) {
	for path, k := range Keys {
		var n yaml.Node
		if err := yaml.Unmarshal([]byte(fill(k.Example)), &n); err != nil || k.Example == "" {
			t.Errorf("%s: example %q: %v", path, k.Example, err)
			continue
		}
		value := k.value()
		if err := compile(t, value).Validate(plain(&n)); err != nil {
			t.Errorf("%s: example %s: %v", path, k.Example, err)
		}
		if k.Meaning == "" || k.Type == "" || strings.HasSuffix(k.Meaning, ".") {
			t.Errorf("%s: type %q, meaning %q", path, k.Type, k.Meaning)
		}
	}
}

var (
	indexes = regexp.MustCompile(`\[\d+\]|^users\.\w+`)
	chosen  = regexp.MustCompile(`^(volumes|health\.(?:checks|limits|rpo))\.[\w:-]+`)
)

// TestKeysAreTheParsers compares the keys of the reference with those that the
// parser reads. A key that is known only so that its refusal has words of its
// own is in no reference.
func TestKeysAreTheParsers(t *testing.T) {
	documented := map[string][]string{}
	for path, k := range Keys {
		above := ""
		if i := strings.LastIndexByte(path, '.'); i >= 0 {
			above = path[:i]
		}
		documented[above] = append(documented[above], k.Name)
	}
	parsed := map[string][]string{}
	r := reader{knows: func(path string, keys []string) {
		path = chosen.ReplaceAllString(indexes.ReplaceAllStringFunc(path, func(s string) string {
			if strings.HasPrefix(s, "users") {
				return "users[]"
			}
			return "[]"
		}), "$1.NAME")
		for _, key := range keys {
			if !supported(path, key) {
				continue
			}
			if !slices.Contains(parsed[path], key) {
				parsed[path] = append(parsed[path], key)
			}
		}
	}}
	for _, name := range names(t, "good/*.yaml") {
		r.document([]Layer{{Text: contents(t, name)}})
	}
	for path := range maps.Keys(documented) {
		slices.Sort(documented[path])
		slices.Sort(parsed[path])
		if !slices.Equal(documented[path], parsed[path]) {
			t.Errorf("%s: the reference has %v, the parser %v", path, documented[path], parsed[path])
		}
		delete(parsed, path)
	}
	if len(parsed) > 0 {
		t.Errorf("the reference lacks %v", parsed)
	}
}

// supported tells whether a key can be given at all.
func supported(path, key string) bool {
	doc := key + ": x\n"
	steps := strings.Split(path, ".")
	slices.Reverse(steps)
	for _, step := range steps {
		switch {
		case step == "":
		case strings.HasSuffix(step, "[]"):
			doc = strings.TrimSuffix(step, "[]") + ":\n  - " + strings.ReplaceAll(strings.TrimSpace(doc), "\n", "\n    ") + "\n"
		default:
			doc = fmt.Sprintf("%s:\n%s\n", step, indent(doc, "  "))
		}
	}
	_, err := Parse([]byte(doc))
	faults, ok := errors.AsType[*Errors](err)
	return !ok || !regexp.MustCompile(`\b`+key+` is not supported by this version`).MatchString(faults.Long())
}
