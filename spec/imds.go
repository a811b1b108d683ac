package spec

import (
	"slices"

	"go.yaml.in/yaml/v3"
)

// imds reads who may reach the metadata service.
func (r *reader) imds(n *yaml.Node, path string) (m IMDS) {
	r.mapping(n, path, fields{
		"restrict": func(n *yaml.Node, path string) {
			before := len(r.faults)
			users, ok := r.texts(n, path, "")
			if !ok {
				return
			}
			for i, u := range users {
				if !userName.MatchString(u) {
					r.fault(item(n, i), path, nameRule, "%s cannot be a user's name", show(u))
				} else if slices.Contains(users[:i], u) {
					r.fault(item(n, i), path, "", "%s is given twice", show(u))
				}
			}
			if !slices.Contains(users, "root") {
				r.fault(n, path, "add root", "leaves out root, as whom bootswain reads its launch data")
			}
			if len(r.faults) == before {
				m.Restrict = users
			}
		},
	})
	return m
}
