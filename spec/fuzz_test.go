package spec

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

func FuzzParse(f *testing.F) {
	for _, doc := range []string{
		"", "#bootswain\n", "version: 1\n", "version: 1\nusers: [{name: ops, sudo: true, groups: adm, expires: 2027-01-31T00:00:00Z}]\n",
		"version: 1\nusers:\n- name: ops\n  ssh_authorized_keys: ['" + key1 + "']\n- name: dba\n  expire: 2027-01-31T00:00:00Z\n",
		"version: 1\nvolumes:\n  data:\n    ebs: {ids: [vol-0123456789abcdef0]}\n    create: if_blank\n    encryption: {sealed: " + sealed64 + "}\n    mount: /srv/data\nmysql: {volume: data}\n",
		"version: 1\nvolumes:\n  a: {ebs: {tags: {set: orders}, count: 2}, mount: /a}\n  b: {ebs: {restore: x}, mount: /b}\n",
		string(keyed("{" + kmsStanza + ", recovery: none, fallback: [{sealed: " + sealed64 + ", sealed_to: [a]}, {ssm: {parameter: /a}}, {secretsmanager: {secret: a}}, {command: [/a, b]}, {unlock: true}]}")),
		"version: 1\nusers_from: {address: ssm:/a/b, every: 1m, max_stale: 1d, when_stale: lock, break_glass: '" + key1 + "', end_sessions: true}\n",
		"version: 1\nhealth: {limits: {space: {warn: 90%, fail: never}, disk: {fail: 1m}}, rpo: {a: {backup: 1d}}}\n",
		"version: 1\nenv: {DB_PASSWORD: hunter2}\nexport TOKEN='x' --password=y\n", "a: &a [*a]\nusers: *a\n", "a: &a {<<: *a}\n", "? {}\n: {}\n", "version: !!int 1\nusers: !x []\n", "---\n...\n---\n", "version: 1\nusers:\n\t- x\n", "\xff\xfe", "volumes: {a: {wipe: [{}], mount: /, overdue_after: 1w1d}}",
	} {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		for _, f := range slices.Concat(PlainSecrets(doc), PlainSecretsBeside(doc)) {
			if f.Line < 1 || f.Line > 1+len(doc) || f.Column < 1 {
				t.Errorf("a secret is nowhere: %s", f)
			}
		}
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
		for _, l := range s.Health.Limits {
			if !(l.Warn > 0 && l.Fail > 0) {
				t.Errorf("limit %+v", l)
			}
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

// FuzzSSHKey: what is taken is one key on one line, of a kind that is strong
// enough, whose options and expiry sshd's own rules allow.
func FuzzSSHKey(f *testing.F) {
	for _, line := range []string{
		key1, "\t" + key1, "restrict " + key1, `command="a \"b\", c",from="10.0.0.0/8,!::1/128" ` + key1, `cert-authority,principals="ops" ` + key1,
		`expiry-time="20270131Z" ` + key1, `a="` + key1, "ssh-ed25519 " + key1, "ssh-rsa " + key1[12:], key1 + "\r", key1[:50], "#" + key1, `"" ` + key1, `,, ` + key1,
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if CheckSSHKey(line) != nil {
			return
		}
		key, _, options, rest, err := ssh.ParseAuthorizedKey([]byte(line))
		if err != nil || len(rest) > 0 || !slices.Contains(sshKeyTypes, key.Type()) {
			t.Fatalf("%q is taken: %v, rest %q", line, err, rest)
		}
		expiring := ExpiringSSHKey(line, time.Unix(2e9, 0))
		again, _, more, _, err := ssh.ParseAuthorizedKey([]byte(expiring))
		if err != nil || !bytes.Equal(again.Marshal(), key.Marshal()) || !slices.Equal(more, append([]string{`expiry-time="20330518033320Z"`}, options...)) {
			t.Fatalf("%q with an expiry: %v, options %q, were %q", expiring, err, more, options)
		}
		if err := CheckSSHKey(expiring); err != nil {
			t.Fatalf("%q: %v", expiring, err)
		}
	})
}

// FuzzUsers: who is granted is in the list that is written, who is revoked is
// not, and everybody else stays.
func FuzzUsers(f *testing.F) {
	for _, doc := range []string{
		"", "version: 1\n", "version: 1\nusers: []\n", "#bootswain\nversion: 1\nusers:\n- {name: ops, sudo: true} # on call\n- name: dba\n  expires: 2027-01-31T00:00:00Z\n",
		"version: 1\nusers:\n- name: ops\n  ssh_authorized_keys:\n  - |\n    " + key1 + "\n", "{version: 1, users: [{name: dba}]}", "version: 1\nhealth: {}\n", "version: 1\n---\n",
	} {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		before, _ := ParseUsers(doc)
		granted, err := GrantUser(doc, Grant{Name: "dba", Keys: []string{key1}})
		if err != nil {
			return
		}
		named := func(users []User) (names []string) {
			for _, u := range users {
				if u.Name != "dba" {
					names = append(names, u.Name)
				}
			}
			return names
		}
		after, err := ParseUsers(granted)
		if err != nil || len(after) != len(named(before))+1 || !slices.Equal(named(after), named(before)) {
			t.Fatalf("%q: granted %v, %v, was %v", granted, after, err, before)
		}
		revoked, found, err := RevokeUser(granted, "dba")
		left, parseErr := ParseUsers(revoked)
		if err != nil || !found || parseErr != nil || !slices.Equal(named(left), named(before)) || len(left) != len(named(before)) {
			t.Fatalf("%q: revoked %v, %v, %v", revoked, left, err, parseErr)
		}
	})
}

// FuzzLayers holds that whatever stands below a document takes away no user of it.
func FuzzLayers(f *testing.F) {
	f.Add([]byte("version: 1\nusers: [{name: ops}]\n"), []byte(roleDoc))
	f.Add([]byte("version: 1\nvolumes: {data: {ebs: {ids: [vol-01234567]}}}\nenv: {A: 1}\n"), []byte(roleDoc))
	f.Add([]byte("a: &a [*a]\nusers: *a\n"), []byte("users: &a [*a]\nvolumes: {<<: {}}\n"))
	f.Fuzz(func(t *testing.T, top, below []byte) {
		alone, _ := Parse(top)
		both, _ := ParseLayers(Layer{Text: top}, Layer{Name: "below", Text: below})
		if (alone == nil) != (both == nil) {
			t.Fatalf("alone %+v, over another %+v", alone, both)
		}
		if alone == nil {
			return
		}
		for _, u := range alone.Users {
			if !slices.ContainsFunc(both.Users, func(v User) bool { return v.Name == u.Name }) {
				t.Errorf("user %s is gone", u.Name)
			}
		}
	})
}

func within(path, parent string) bool {
	return path == parent || len(path) > len(parent) && path[:len(parent)] == parent && (path[len(parent)] == '.' || path[len(parent)] == '[')
}
