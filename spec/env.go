package spec

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

var (
	variableName = lazily(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)
	roleName     = lazily(`^[a-z][a-z0-9_-]{0,62}$`)
	address      = lazily(`^(s3://[a-z0-9][a-z0-9.-]+/\S+|ssm:/?[A-Za-z0-9_.-]\S*|secretsmanager:\S+)$`)
)

// env reads parameters for applications. A number is taken as it is written.
func (r *reader) env(n *yaml.Node, path string) (variables []Variable) {
	for name, pair := range r.pairs(n, path) {
		where := step(path, name)
		if !variableName.MatchString(name) {
			r.fault(pair.key, where, "letters, digits and _, not beginning with a digit", "cannot be a variable's name")
		}
		value, ok := pair.value.Value, true
		if tag := pair.value.ShortTag(); pair.value.Kind != yaml.ScalarNode || tag != "!!int" && tag != "!!float" && (tag != "!!str" || value != "") {
			value, ok = r.text(pair.value, where)
		}
		if ok && strings.ContainsAny(value, "\r\n") {
			r.fault(pair.value, where, "", "is more than one line")
		}
		variables = append(variables, Variable{name, value})
	}
	return variables
}

func (r *reader) role(n *yaml.Node, path string) string {
	name, ok := r.text(n, path)
	if ok && !roleName.MatchString(name) {
		r.fault(n, path, "as in /etc/bootswain/roles/database.yaml: database", "%s cannot be a role's name", show(name))
		return ""
	}
	return name
}

func (r *reader) include(n *yaml.Node, path string) string {
	where, ok := r.text(n, path)
	if ok && !address.MatchString(where) {
		r.fault(n, path, "s3://BUCKET/KEY, ssm:/NAME or secretsmanager:NAME", "%s is not an address", show(where))
		return ""
	}
	return where
}
