package ec2

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// query is a request's parameters: lists are numbered from 1, "VolumeId.1", and
// structures dotted, "Filter.1.Value.2".
type query url.Values

func (q query) get(name string) string { return url.Values(q).Get(name) }

func (q query) list(name string) (values []string) {
	for i := 1; ; i++ {
		v, ok := q[fmt.Sprintf("%s.%d", name, i)]
		if !ok {
			return values
		}
		values = append(values, v[0])
	}
}

// tags reads a list of keys and values.
func (q query) tags(name string) map[string]string {
	tags := map[string]string{}
	for i := 1; ; i++ {
		at := fmt.Sprintf("%s.%d.", name, i)
		if _, ok := q[at+"Key"]; !ok {
			return tags
		}
		tags[q.get(at+"Key")] = q.get(at + "Value")
	}
}

// filter is one condition; any of its values will do.
type filter struct {
	name   string
	values []*regexp.Regexp
}

func (q query) filters() (filters []filter) {
	for i := 1; ; i++ {
		at := fmt.Sprintf("Filter.%d.", i)
		if _, ok := q[at+"Name"]; !ok {
			return filters
		}
		f := filter{name: q.get(at + "Name")}
		for _, v := range q.list(at + "Value") {
			// * and ? are wildcards.
			p := strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(v))
			f.values = append(f.values, regexp.MustCompile("^(?s:"+p+")$"))
		}
		filters = append(filters, f)
	}
}

// attributes gives what a resource has under a filter's name; known is false
// for a name that its kind does not have.
type attributes func(name string) (values []string, known bool)

// match tells whether a resource meets all conditions.
func match(filters []filter, tags map[string]string, of attributes) (bool, error) {
	for _, f := range filters {
		var have []string
		if key, isTag := strings.CutPrefix(f.name, "tag:"); isTag {
			if v, ok := tags[key]; ok {
				have = []string{v}
			}
		} else if f.name == "tag-key" {
			for key := range tags {
				have = append(have, key)
			}
		} else {
			var known bool
			if have, known = of(f.name); !known {
				return false, invalid("InvalidParameterValue", "The filter '%s' is invalid", f.name)
			}
		}
		met := slices.ContainsFunc(f.values, func(want *regexp.Regexp) bool { return slices.ContainsFunc(have, want.MatchString) })
		if !met {
			return false, nil
		}
	}
	return true, nil
}

// page cuts a sorted list where the request and the fault want it cut. Tokens
// are positions.
func page[T any](q query, most int, all []T) (part []T, next string, err error) {
	from, size := 0, len(all)
	if token := q.get("NextToken"); token != "" {
		if from, err = strconv.Atoi(token); err != nil || from < 0 || from > len(all) {
			return nil, "", invalid("InvalidNextToken", "The token '%s' is invalid", token)
		}
	}
	if asked := q.get("MaxResults"); asked != "" {
		if size, err = strconv.Atoi(asked); err != nil || size < 5 || size > 1000 {
			return nil, "", invalid("InvalidParameterValue", "Value ( %s ) for parameter maxResults is invalid. Expecting a value between 5 and 1000.", asked)
		}
	}
	if most > 0 {
		size = min(size, most)
	}
	to := min(from+size, len(all))
	if to < len(all) {
		next = strconv.Itoa(to)
	}
	return all[from:to], next, nil
}
