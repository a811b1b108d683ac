package spec

import (
	"errors"
	"reflect"
	"testing"
	"time"
)

const roleDoc = `version: 1
users: [{name: ops, sudo: true, groups: [adm]}, {name: dba}]
volumes:
  data:
    ebs: {tags: {set: orders}, count: 2}
    create: if_blank
    encryption: none
    filesystem: {type: xfs, options: [noatime]}
    mount: /srv/data
    overdue_after: 10m
  logs: {ebs: {devices: [/dev/sdz]}, mount: /srv/logs}
mysql: {volume: data}
env: {DB_PORT: 3306, DB_HOST: nowhere}
`

func TestLayers(t *testing.T) {
	top := "version: 1\nrole: database\nusers: [{name: ops}]\nvolumes:\n  data: {ebs: {ids: [vol-01234567]}, filesystem: {type: ext4}, required: false}\nenv: {DB_HOST: here}\n"
	s, err := ParseLayers(Layer{Text: []byte(top)}, Layer{Name: "role database", Text: []byte(roleDoc)})
	if err != nil {
		t.Fatal(err)
	}
	want := &Spec{
		Version: 1, Role: "database",
		Users: []User{{Name: "ops"}, {Name: "dba"}},
		Volumes: []Volume{
			{Name: "data", EBS: EBS{IDs: []string{"vol-01234567"}}, Create: CreateIfBlank, Encryption: Encryption{Mode: EncryptionNone},
				Filesystem: Filesystem{Type: "ext4"}, Mount: "/srv/data", OverdueAfter: 10 * time.Minute},
			{Name: "logs", EBS: EBS{Devices: []string{"/dev/sdz"}}, Mount: "/srv/logs", OverdueAfter: DefaultOverdueAfter, Required: true},
		},
		MySQL: &MySQL{Volume: "data"},
		Env:   []Variable{{"DB_HOST", "here"}, {"DB_PORT", "3306"}},
	}
	if !reflect.DeepEqual(s, want) {
		t.Errorf("got  %+v\nwant %+v", s, want)
	}
	s, err = ParseLayers(Layer{Text: []byte("version: 1\n")}, Layer{Name: "s3://b/k", Text: []byte("version: 1\nenv: {A: 1}\n")}, Layer{Name: "role x", Text: []byte("version: 1\nenv: {A: 2, B: 2}\n")})
	if want := []Variable{{"A", "1"}, {"B", "2"}}; err != nil || !reflect.DeepEqual(s.Env, want) {
		t.Errorf("three layers: got %+v, %v", s, err)
	}
}

func TestLayerFaults(t *testing.T) {
	const top = "version: 1\nrole: x\n"
	tests := []struct{ name, top, role, want string }{
		{"place", top, "version: 1\nvolumes: {data: {ebz: {}, mount: /srv/data}}\n", "role x 2:17: volumes.data.ebs missing (ebs: {ids: [vol-…]} or ebs: {devices: [/dev/sdf]})\nrole x 2:18: volumes.data.ebz unknown (ebs?)\n"},
		{"syntax", top, "version: [\n", "role x 2:1: not valid YAML: did not find expected node content\n"},
		{"no version", top, "users: []\n", "role x 1:1: version missing (version: 1)\n"},
		{"version 2", top, "version: 2\n", "role x 1:10: version \"2\" is not known to this bootswain, which reads version 1 (version: 1)\n"},
		{"no mapping", top, "- a\n", "role x 1:1: the document must be a mapping, not a list (it begins with version: 1)\n"},
		{"role in a role", top, "version: 1\nrole: y\n", "role x 2:7: role is not read here (name it in the launch data)\n"},
		{"both", "version: 1\nzz: 1\n", "version: 1\nyy: 1\n", "2:1: zz unknown\nrole x 2:1: yy unknown\n"},
		{"between", "version: 1\nvolumes: {data: {ebs: {devices: [/dev/sdf]}}}\n", "version: 1\nvolumes: {data: {instance_store: all, encryption: ephemeral, mount: /a}}\n", "2:23: volumes.data.ebs contradicts instance_store (keep one of them)\n"},
		{"twice in one", "version: 1\nusers: [{name: ops}, {name: ops}]\n", "version: 1\nusers: [{name: ops}]\n", "2:29: users.ops.name given twice\n"},
		{"types", "version: 1\nusers: x\nvolumes: x\n", "version: 1\nusers: []\nvolumes: {}\n", "2:8: users must be a list, not text\n3:10: volumes must be a mapping, not text\n"},
	}
	for _, tt := range tests {
		_, err := ParseLayers(Layer{Text: []byte(tt.top)}, Layer{Name: "role x", Text: []byte(tt.role)})
		faults, ok := errors.AsType[*Errors](err)
		if !ok || faults.Long() != tt.want {
			t.Errorf("%s: got\n%vwant\n%s", tt.name, err, tt.want)
		}
	}
}

func TestLayerLacks(t *testing.T) {
	s, err := ParseLayers(Layer{Text: []byte("version: 1\nrole: x\nusers: [{name: ops}]\n")}, Layer{Name: "role x", Key: "role", Lacks: "is not in this image", Hint: "y or z"})
	if err == nil || err.Error() != "2:7: role is not in this image (y or z)" || len(s.Users) != 1 {
		t.Errorf("got %+v, %v", s, err)
	}
}

func TestBelow(t *testing.T) {
	for doc, want := range map[string][2]string{
		"version: 1\nrole: a\ninclude: ssm:/x\n": {"a", "ssm:/x"}, "": {}, "- a": {}, "role: [a]\ninclude:\n": {}, "{": {},
	} {
		if role, include := Below([]byte(doc)); role != want[0] || include != want[1] {
			t.Errorf("%q: %q, %q", doc, role, include)
		}
	}
}
