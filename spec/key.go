package spec

import (
	"fmt"
	"maps"
	"strings"
)

// Key is one key of the document, as the reference and the JSON Schema know it.
// Which keys there are is compared with the parser in a test.
type Key struct {
	Name     string
	Type     string // as the reference names it
	Meaning  string // sentences, without a final full stop
	Default  string // what holds where the key is missing; "" where nothing does
	Example  string // a value, in YAML on one line
	Required bool

	schema schema // what JSON Schema calls an assertion: type, pattern and so on
	keys   []Key  // of the mapping that the value is, or that its entries are
	each   each   // how the value holds those keys
	rule   schema // what else holds for each such mapping
	alone  schema // what may stand in place of each such mapping; nil is nothing
}

// each is how keys stand below a key.
type each int

const (
	itself each = iota // the value is the mapping
	entry              // the value is a list of such mappings
	named              // the value is a mapping of names that people choose to such mappings
)

// schema is a JSON Schema, or a part of one.
type schema map[string]any

// Keys yields every key of the document with its path, in the order in which
// the reference tells them: "volumes.NAME.ebs", "users[].name".
func Keys(yield func(path string, k Key) bool) { walk("", document, yield) }

func walk(path string, keys []Key, yield func(string, Key) bool) bool {
	for _, k := range keys {
		at := strings.TrimPrefix(path+"."+k.Name, ".")
		if !yield(at, k) || !walk(at+map[each]string{entry: "[]", named: ".NAME"}[k.each], k.keys, yield) {
			return false
		}
	}
	return true
}

// Reference returns the table of keys in docs/launch-data.md, as Markdown.
func Reference() string {
	var b strings.Builder
	b.WriteString("| key | type | meaning | default | example |\n|---|---|---|---|---|\n")
	cell := strings.NewReplacer("|", `\|`)
	code := func(s string) string {
		if s == "" {
			return ""
		}
		return "`" + cell.Replace(s) + "`"
	}
	for path, k := range Keys {
		if strings.Contains(path, "fallback[].") {
			continue // told once, as keys of encryption
		}
		missing := k.Default
		if k.Required {
			missing = "required"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", path, cell.Replace(k.Type), cell.Replace(k.Meaning), cell.Replace(missing), code(k.Example))
	}
	return b.String()
}

// Schema returns the JSON Schema (draft 2020-12) of the document. It takes every
// document that Parse takes. Parse also looks at what belongs together.
func Schema() map[string]any {
	s := object(document)
	maps.Copy(s, schema{
		"$schema": "https://json-schema.org/draft/2020-12/schema",
		"title":   "bootswain launch data, version 1",
	})
	return s
}

// object is the schema of a mapping with these keys.
func object(keys []Key) schema {
	properties, required := schema{}, []string{}
	for _, k := range keys {
		properties[k.Name] = k.value()
		if k.Required {
			required = append(required, k.Name)
		}
	}
	s := schema{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

// literal returns the default where it is a value that could be given, or "".
func (k Key) literal() string {
	value, isCode := strings.CutPrefix(k.Default, "`")
	value, isAll := strings.CutSuffix(value, "`")
	if !isCode || !isAll || strings.Contains(value, "`") {
		return ""
	}
	return value
}

// value is the schema of the key's value.
func (k Key) value() schema {
	s := schema{"description": k.Meaning + "."}
	switch literal := k.literal(); literal {
	case "":
	case "true", "false":
		s["default"] = literal == "true"
	default:
		s["default"] = literal
	}
	if k.keys != nil {
		inner := object(k.keys)
		maps.Copy(inner, k.rule)
		if k.alone != nil {
			inner = schema{"anyOf": []schema{inner, k.alone}}
		}
		switch k.each {
		case entry:
			inner = schema{"type": "array", "items": inner}
		case named:
			inner = schema{"type": "object", "additionalProperties": inner}
		}
		maps.Copy(s, inner)
	}
	maps.Copy(s, k.schema)
	return s
}
