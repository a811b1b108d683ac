package spec

import (
	"errors"
	"testing"
)

func FuzzParse(f *testing.F) {
	for _, doc := range []string{
		"", "#bootswain\n", "version: 1\n", "version: 1\nusers: [{name: ops, sudo: true, groups: adm, expires: 2027-01-31T00:00:00Z}]\n",
		"version: 1\nusers:\n- name: ops\n  ssh_authorized_keys: ['" + key1 + "']\n- name: dba\n  expire: 2027-01-31T00:00:00Z\n",
		"version: 1\nvolumes:\n  data:\n    ebs: {ids: [vol-0123456789abcdef0]}\n    create: if_blank\n    encryption: {sealed: " + sealed64 + "}\n    mount: /srv/data\nmysql: {volume: data}\n",
		"version: 1\nvolumes:\n  a: {ebs: {tags: {set: orders}, count: 2}, mount: /a}\n  b: {ebs: {restore: x}, mount: /b}\n",
		"a: &a [*a]\nusers: *a\n", "a: &a {<<: *a}\n", "? {}\n: {}\n", "version: !!int 1\nusers: !x []\n", "---\n...\n---\n", "version: 1\nusers:\n\t- x\n", "\xff\xfe", "volumes: {a: {wipe: [{}], mount: /, overdue_after: 1w1d}}",
	} {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		s, err := Parse(doc)
		if err == nil {
			if s == nil || s.Version != 1 {
				t.Fatalf("no fault, and yet %+v", s)
			}
			return
		}
		var faults *Errors
		if !errors.As(err, &faults) || len(faults.Faults) == 0 {
			t.Fatalf("the error is %T without faults", err)
		}
		_ = faults.Long()
		if s == nil {
			return
		}
		if s.Volumes != nil || s.MySQL != nil {
			t.Error("volumes are returned with faults")
		}
		for _, u := range s.Users {
			for _, fault := range faults.Faults {
				if within(fault.Path, "users."+u.Name) {
					t.Errorf("user %s is returned with the fault %s", u.Name, fault)
				}
			}
		}
	})
}

func within(path, parent string) bool {
	return path == parent || len(path) > len(parent) && path[:len(parent)] == parent && (path[len(parent)] == '.' || path[len(parent)] == '[')
}
