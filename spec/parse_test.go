package spec

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"filippo.io/age/armor"
	"golang.org/x/crypto/ssh"
)

const key1 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBfVf1Yp4rbMQZLEbuFCVg37EMaHb3F0s5Q1VZ7f6cV9 ops@laptop"

// nobody is an identity that nobody has, and sealed a volume key sealed to it.
var nobody = func() *age.X25519Identity {
	id, err := age.GenerateX25519Identity()
	must(err)
	return id
}()

var sealed = func() []byte {
	var b bytes.Buffer
	w, err := age.Encrypt(&b, nobody.Recipient())
	must(err)
	_, err = w.Write(make([]byte, 64))
	must(err)
	must(w.Close())
	return b.Bytes()
}()

var sealed64 = base64.StdEncoding.EncodeToString(sealed)

func armored() string {
	var b strings.Builder
	w := armor.NewWriter(&b)
	_, err := w.Write(sealed)
	must(err)
	must(w.Close())
	return b.String()
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func indent(text, by string) string {
	return by + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n"+by)
}

func TestParseWhole(t *testing.T) {
	doc := `#bootswain
version: 1
users:
  - name: ops
    gecos: Olga Petrova
    groups: [adm, docker]
    sudo: true
    shell: /bin/zsh
    ssh_authorized_keys: ["` + key1 + `"]
    expires: 2027-01-31T10:00:00+01:00
  - {name: dba, sudo: "ALL=(mysql) NOPASSWD: /usr/bin/mysql", groups: "adm, systemd-journal", expiredate: 2027-02-01, lock_passwd: true}
  - {name: web, sudo: false}
volumes:
  data:
    wipe: [{volume: vol-0123456789abcdef1, found: 3f9c2d}, {volume: vol-0123456789abcdef0, found: 123456}]
    ebs: {ids: [vol-0123456789abcdef0, vol-0123456789abcdef1]}
    create: if_blank
    encryption:
      sealed: |
` + indent(armored(), "        ") + `
      recovery: ` + nobody.Recipient().String() + `
    filesystem: {type: xfs, options: [noatime, logbsize=256k]}
    mount: /srv/data
    overdue_after: 1d2h
  old:
    ebs: {devices: [/dev/sdf]}
    encryption: {recovery: none}
    mount: /srv/old
    required: false
  plain: {ebs: {devices: [/dev/sdg]}, create: if_blank, encryption: none, filesystem: {type: ext4}, mount: /srv/plain}
  scratch: {instance_store: all, encryption: ephemeral, mount: /mnt, prefill: true, wipe: [{volume: AWS22D9F5E6F2E1C6AEB, found: 3f9c2d}]}
  found:
    ebs: {tags: {set: orders, "no": "1"}, count: 3}
    mount: /srv/found
  again:
    ebs: {restore: "orders-db/2026-11-21T03:00Z"}
    mount: /srv/again
mysql: {volume: data}
health: {listen: "0.0.0.0:8273"}
imds: {restrict: [root, backup]}
`
	s, err := Parse([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	want := &Spec{
		Version: 1,
		Users: []User{
			{Name: "ops", Gecos: "Olga Petrova", Groups: []string{"adm", "docker"}, Sudo: []string{"ALL=(ALL) NOPASSWD:ALL"}, Shell: "/bin/zsh",
				SSHAuthorizedKeys: []string{key1}, Expires: time.Date(2027, 1, 31, 9, 0, 0, 0, time.UTC)},
			{Name: "dba", Groups: []string{"adm", "systemd-journal"}, Sudo: []string{"ALL=(mysql) NOPASSWD: /usr/bin/mysql"}, Expires: time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC)},
			{Name: "web"},
		},
		Volumes: []Volume{
			{Name: "data", EBS: EBS{IDs: []string{"vol-0123456789abcdef0", "vol-0123456789abcdef1"}}, Create: CreateIfBlank, Encryption: Encryption{Sources: []KeySource{{Sealed: sealed}}, Sealed: sealed, Recovery: nobody.Recipient().String()},
				Filesystem: Filesystem{Type: "xfs", Options: []string{"noatime", "logbsize=256k"}}, Mount: "/srv/data", OverdueAfter: 26 * time.Hour, Required: true,
				Wipe: []Wipe{{"vol-0123456789abcdef1", "3f9c2d"}, {"vol-0123456789abcdef0", "123456"}}},
			{Name: "old", EBS: EBS{Devices: []string{"/dev/sdf"}}, Encryption: Encryption{Recovery: NoRecovery}, Mount: "/srv/old", OverdueAfter: DefaultOverdueAfter},
			{Name: "plain", EBS: EBS{Devices: []string{"/dev/sdg"}}, Create: CreateIfBlank, Encryption: Encryption{Mode: EncryptionNone},
				Filesystem: Filesystem{Type: "ext4"}, Mount: "/srv/plain", OverdueAfter: DefaultOverdueAfter, Required: true},
			{Name: "scratch", InstanceStore: AllInstanceStore, Encryption: Encryption{Mode: EncryptionEphemeral}, Prefill: true,
				Mount: "/mnt", OverdueAfter: DefaultOverdueAfter, Required: true, Wipe: []Wipe{{"AWS22D9F5E6F2E1C6AEB", "3f9c2d"}}},
			{Name: "found", EBS: EBS{Tags: map[string]string{"set": "orders", "no": "1"}, Count: 3}, Mount: "/srv/found", OverdueAfter: DefaultOverdueAfter, Required: true},
			{Name: "again", EBS: EBS{Restore: "orders-db/2026-11-21T03:00Z"}, Mount: "/srv/again", OverdueAfter: DefaultOverdueAfter, Required: true},
		},
		MySQL:  &MySQL{Volume: "data"},
		Health: Health{Listen: "0.0.0.0:8273"},
		IMDS:   IMDS{Restrict: []string{"root", "backup"}},
	}
	s.Users[0].Expires = s.Users[0].Expires.UTC()
	if !reflect.DeepEqual(s, want) {
		t.Errorf("got  %+v\nwant %+v", s, want)
	}
}

// TestFaults gives one wrong document each and expects its faults, all of them.
func TestFaults(t *testing.T) {
	const ids = "ebs: {ids: [vol-0123456789abcdef0]}"
	volume := func(lines string) string { // the volume's lines begin in line 4, column 5
		return "version: 1\nvolumes:\n  data:\n" + indent(lines, "    ") + "\n"
	}
	user := func(lines string) string { // the entry begins in line 3, column 5
		return "version: 1\nusers:\n  - " + strings.ReplaceAll(lines, "\n", "\n    ") + "\n"
	}
	many := strings.TrimSuffix(strings.Repeat("/dev/sdf, ", 17), ", ")
	tests := []struct {
		name, doc string
		want      []string
	}{
		{"empty", "#bootswain\n", []string{"1:1: the document is empty (it begins with version: 1)"}},
		{"list", "- a\n", []string{"1:1: the document must be a mapping, not a list (it begins with version: 1)"}},
		{"tab", "version: 1\nusers:\n\t- name: ops\n", []string{"3:1: not valid YAML: found character that cannot start any token (YAML is indented with spaces, never with tabs, and text that begins with @, ` or % is quoted)"}},
		{"indentation", "version: 1\nusers:\n  - name: ops\n    sudo: true\n   groups: x\n", []string{"5:1: not valid YAML: did not find expected '-' indicator (is the line indented like its neighbours?)"}},
		{"list in mapping", "version: 1\n- a\n", []string{"2:1: not valid YAML: did not find expected key (is the line indented like its neighbours?)"}},
		{"open list", "version: 1\nusers: [a\nvolumes: {}\n", []string{"2:1: not valid YAML: did not find expected ',' or ']'"}},
		{"colon", "version: 1\na: b: c\n", []string{"2:1: not valid YAML: mapping values are not allowed in this context"}},
		{"two documents", "version: 1\n---\nversion: 1\n", []string{"2:1: a second YAML document begins here; only one is read"}},
		{"no version", "users: []\n", []string{"1:1: version missing (version: 1)"}},
		{"version 2", "version: 2\n", []string{`1:10: version "2" is not known to this bootswain, which reads version 1 (version: 1)`}},
		{"version float", "version: 1.0\n", []string{`1:10: version "1.0" is not known to this bootswain, which reads version 1 (version: 1)`}},
		{"secret as key", "version: 1\nvolumes: {data: {" + ids + ", mount: /srv/data, encryption: {AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQ}}}\n", []string{`2:86: volumes.data.encryption."AGE-SECR…" unknown`}},
		{"version text", "version: '1'\n", []string{"1:10: version must be the number 1, not text"}},
		{"unknown", "version: 1\nvolume: {}\nzzzzz: 1\n", []string{"2:1: volume unknown (volumes?)", "3:1: zzzzz unknown"}},
		{"twice", "version: 1\nversion: 1\n", []string{"2:1: version given twice"}},
		{"key types", "version: 1\n1: 2\n<<: {}\n? [a]\n: b\n", []string{
			"2:1: has a key that is a number instead of text (quote it if it is a name)",
			"3:1: has a merge key <<, which is not allowed here (write the keys out)",
			"4:3: has a key that is a list instead of text (quote it if it is a name)",
		}},
		{"alias", "version: 1\nmysql: &m {volume: data}\nhealth: *m\n", []string{
			`2:20: mysql.volume names "data", which is not under volumes`,
			"3:9: health is a YAML alias, which is not allowed here (write the value out)",
		}},
		{"null", "version: 1\nusers:\nvolumes:\n", []string{
			"2:7: users is empty, must be a list (leave it out or fill it in)",
			"3:9: volumes is empty, must be a mapping (leave it out or fill it in)",
		}},
		{"imds", "version: 1\nimds: {restrict: [app, app, A]}\n", []string{
			`2:18: imds.restrict leaves out root, as whom bootswain reads its launch data (add root)`,
			`2:24: imds.restrict "app" is given twice`,
			`2:29: imds.restrict "A" cannot be a user's name (` + nameRule + `)`}},
		{"health", "version: 1\nhealth: {listen: ':8273'}\n", []string{`2:18: health.listen ":8273" is not an IP address and port (0.0.0.0:8273 or 127.0.0.1:8273)`}},
		{"mysql", "version: 1\nmysql: {volume: dta}\nvolumes: {data: {" + ids + ", mount: /srv/data}}\n", []string{`2:17: mysql.volume names "dta", which is not under volumes (data?)`}},
		{"mysql empty", "version: 1\nmysql: {}\n", []string{"2:8: mysql.volume missing (the name of one of volumes)"}},

		{"user keys", user("name: ops\nexprires: 2027-01-31T00:00:00Z\nssh-authorized-keys: []\npasswd: x\nuid: 1"), []string{
			"4:5: users.ops.exprires unknown (expires?)", "5:5: users.ops.ssh-authorized-keys unknown (ssh_authorized_keys?)",
			"6:13: users.ops.passwd is not supported by this version (people log in with SSH keys)", "7:10: users.ops.uid is not supported by this version",
		}},
		{"user default", "version: 1\nusers: [default]\n", []string{"2:9: users[0] must be a mapping (leave this line out: the default user gets the EC2 key pair without it)"}},
		{"user nameless", user("sudo: true"), []string{"3:5: users[0].name missing"}},
		{"user root", user("name: root"), []string{"3:11: users.root.name root does not log in (name a person and give them sudo: true)"}},
		{"user system", user("name: mysql"), []string{`3:11: users.mysql.name "mysql" is an account of the system`}},
		{"user name", user("name: Jane.Doe"), []string{`3:11: users[0].name "Jane.Doe" cannot be a user's name (at most 32 of a-z, 0-9, - and _, beginning with a letter or _)`}},
		{"user name number", user("name: 7"), []string{"3:11: users[0].name must be text, not a number (quote it)"}},
		{"user twice", "version: 1\nusers:\n- name: ops\n- name: ops\n", []string{"4:9: users.ops.name given twice"}},
		{"user gecos", user("name: ops\ngecos: 'a:b'"), []string{"4:12: users.ops.gecos must not hold a colon or a line break"}},
		{"user groups", user("name: ops\ngroups: [adm, 'a b', adm]"), []string{
			`4:19: users.ops.groups "a b" cannot be a group's name (at most 32 of a-z, 0-9, - and _, beginning with a letter or _)`, `4:26: users.ops.groups "adm" is given twice`}},
		{"user groups text", user("name: ops\ngroups: 'adm,,x'"), []string{"4:13: users.ops.groups has an empty entry"}},
		{"user shell", user("name: ops\nshell: zsh"), []string{`4:12: users.ops.shell "zsh" is not an absolute path (/bin/bash)`}},
		{"user sudo", user("name: ops\nsudo: yes please"), []string{`4:11: users.ops.sudo "yes please" is not a sudoers rule (true, or as in ALL=(ALL) NOPASSWD:ALL)`}},
		{"user sudo lines", user("name: ops\nsudo: [\"ALL=ALL\\nwheel ALL=ALL\", \"ALL=ALL\\\\\"]"), []string{
			`4:12: users.ops.sudo "ALL=ALL\nwheel ALL=ALL" is not a sudoers rule (true, or as in ALL=(ALL) NOPASSWD:ALL)`, `4:38: users.ops.sudo "ALL=ALL\\" is not a sudoers rule (true, or as in ALL=(ALL) NOPASSWD:ALL)`}},
		{"user sudo number", user("name: ops\nsudo: 1"), []string{"4:11: users.ops.sudo must be true, false, a sudoers rule or a list of them, not a number"}},
		{"user expires", user("name: ops\nexpires: 2027-01-31"), []string{`4:14: users.ops.expires "2027-01-31" is not a time that can be meant (as in 2027-01-31T00:00:00Z)`}},
		{"user expires never", user("name: ops\nexpires: 0001-01-01T00:00:00Z"), []string{`4:14: users.ops.expires "0001-01-01T00:00:00Z" is not a time that can be meant (as in 2027-01-31T00:00:00Z)`}},
		{"user expires empty", user("name: ops\nexpires:"), []string{"4:13: users.ops.expires is empty, must be a time such as 2027-01-31T00:00:00Z (leave it out or fill it in)"}},
		{"user expiredate", user("name: ops\nexpiredate: 31.1.2027"), []string{`4:17: users.ops.expiredate "31.1.2027" is not a time that can be meant (as in 2027-01-31)`}},
		{"user expires twice", user("name: ops\nexpires: 2027-01-31T00:00:00Z\nexpiredate: 2027-01-31"), []string{"5:17: users.ops.expiredate contradicts expires (keep one of them)"}},
		{"user lock_passwd", user("name: ops\nlock_passwd: false"), []string{"4:18: users.ops.lock_passwd false is not supported by this version (people log in with SSH keys)"}},
		{"user key mapping", user("name: ops\nssh_authorized_keys: [{expires: 2027-01-31, keys: x}]"), []string{
			"4:27: users.ops.ssh_authorized_keys[0].key missing (the line of the .pub file)",
			`4:37: users.ops.ssh_authorized_keys[0].expires "2027-01-31" is not a time that can be meant (as in 2027-01-31T00:00:00Z)`,
			"4:49: users.ops.ssh_authorized_keys[0].keys unknown (key?)"}},
		{"user keys text", user("name: ops\nssh_authorized_keys: ssh-ed25519 AAAA"), []string{"4:26: users.ops.ssh_authorized_keys must be a list, not text"}},

		{"volume key", volume(ids + "\nmount: /srv/data\nebz: {}"), []string{"6:5: volumes.data.ebz unknown (ebs?)"}},
		{"volume name", "version: 1\nvolumes: {Data: {" + ids + ", mount: /srv/data}}\n", []string{"2:11: volumes.Data cannot be a volume's name (at most 21 of a-z, 0-9, - and _, beginning with a letter)"}},
		{"volume bare", volume("required: true"), []string{"4:5: volumes.data.ebs missing (ebs: {ids: [vol-…]} or ebs: {devices: [/dev/sdf]})", "4:5: volumes.data.mount missing (as in mount: /srv/data)"}},
		{"volume twice", "version: 1\nvolumes:\n  data: {" + ids + ", mount: /srv/a}\n  data: {}\n", []string{"4:3: volumes.data given twice"}},
		{"ebs none", volume("mount: /srv/data\nebs: {}"), []string{"5:10: volumes.data.ebs names no devices (ids: [vol-…] or devices: [/dev/sdf])"}},
		{"ebs both", volume("mount: /srv/data\nebs: {ids: [vol-01234567], devices: [/dev/sdf]}"), []string{"5:41: volumes.data.ebs.devices contradicts ids (keep one of them)"}},
		{"ebs three", volume("mount: /srv/data\nebs: {tags: {a: b}, count: 2, restore: x, devices: [/dev/sdf]}"), []string{
			"5:44: volumes.data.ebs.restore contradicts tags (keep one of them)", "5:56: volumes.data.ebs.devices contradicts tags (keep one of them)"}},
		{"tags countless", volume("mount: /srv/data\nebs: {tags: {a: b}}"), []string{"5:10: volumes.data.ebs.count missing (how many volumes carry the tags)"}},
		{"count only", volume("mount: /srv/data\nebs: {ids: [vol-01234567], count: 1}"), []string{"5:39: volumes.data.ebs.count is for tags (leave it out)"}},
		{"count", volume("mount: /srv/data\nebs: {tags: {a: b}, count: 17}"), []string{"5:32: volumes.data.ebs.count is \"17\"; a volume has 1 to 16 devices"}},
		{"count text", volume("mount: /srv/data\nebs: {tags: {a: b}, count: two}"), []string{"5:32: volumes.data.ebs.count must be a number, not text"}},
		{"tags none", volume("mount: /srv/data\nebs: {tags: {}, count: 2}"), []string{"5:17: volumes.data.ebs.tags names 0 tags; 1 to 50 are looked for (as in {set: orders})"}},
		{"tags", volume("mount: /srv/data\nebs: {tags: {aws:x: b, n: 1, c: \"" + strings.Repeat("v", 257) + "\"}, count: 2}"), []string{
			`5:18: volumes.data.ebs.tags.aws:x "aws:x" cannot be the key of a tag`, "5:31: volumes.data.ebs.tags.n must be text, not a number (quote it)", "5:37: volumes.data.ebs.tags.c " + show(strings.Repeat("v", 257)) + " cannot be the value of a tag"}},
		{"restore", volume("mount: /srv/data\nebs: {restore: " + strings.Repeat("v", 257) + "}"), []string{"5:20: volumes.data.ebs.restore " + show(strings.Repeat("v", 257)) + " cannot be a snapshot set (the value of the snapshots' tag bootswain:set)"}},
		{"restore create", volume("mount: /srv/data\nebs: {restore: x}\ncreate: if_blank\nencryption: {sealed: " + sealed64 + "}"), []string{"6:13: volumes.data.create would make something new, but ebs.restore brings what is there (leave it out)"}},
		{"ebs shared", "version: 1\nvolumes:\n  a: {ebs: {tags: {a: b, c: d}, count: 2}, mount: /a}\n  b: {ebs: {tags: {c: d, a: b}, count: 1}, mount: /b}\n  c: {ebs: {restore: x}, mount: /c}\n  d: {ebs: {restore: x}, mount: /d}\n", []string{
			"4:19: volumes.b.ebs.tags volume a is made of the same already", "6:22: volumes.d.ebs.restore volume c is made of the same already"}},
		{"ids", volume("mount: /srv/data\nebs: {ids: [vol-0a33, vol-01234567, vol-01234567]}"), []string{
			`5:17: volumes.data.ebs.ids[0] "vol-0a33" is not a volume id (vol- and 17 hexadecimal digits)`, `5:41: volumes.data.ebs.ids[2] "vol-01234567" is given twice`}},
		{"ids none", volume("mount: /srv/data\nebs: {ids: []}"), []string{"5:16: volumes.data.ebs.ids names 0 devices; a volume has 1 to 16"}},
		{"devices", volume("mount: /srv/data\nebs: {devices: [/dev/nvme1n1, /dev/sda1, sdf]}"), []string{
			`5:21: volumes.data.ebs.devices[0] "/dev/nvme1n1" is not a device name of EC2 (as in the launch template: /dev/sdf or /dev/xvdf)`, `5:35: volumes.data.ebs.devices[1] "/dev/sda1" is the root disk`,
			`5:46: volumes.data.ebs.devices[2] "sdf" is not a device name of EC2 (as in the launch template: /dev/sdf or /dev/xvdf)`}},
		{"create", volume(ids + "\nmount: /srv/data\ncreate: always\nencryption: {sealed: " + sealed64 + "}"), []string{`6:13: volumes.data.create "always" is not known (if_blank; leave it out to never format)`}},
		{"create keyless", volume(ids + "\nmount: /srv/data\ncreate: if_blank"), []string{"4:5: volumes.data.encryption missing (what is created needs a key: encryption: {sealed: …}, made by bootswain seal)"}},
		{"wipe only", volume(ids + "\nmount: /srv/data\nwipe: [{volume: vol-0123456789abcdef0, found: 3f9c2d}]"), []string{"6:11: volumes.data.wipe throws content away, but nothing would be created after it (add create: if_blank, or leave wipe out)"}},
		{"wipe", volume(ids + "\nmount: /srv/data\ncreate: if_blank\nencryption: {sealed: " + sealed64 + "}\nwipe: [{volume: vol-01234567, found: xyz}, {volume: vol-0123456789abcdef0}, {found: 3f9c2d}, x]"), []string{
			`8:21: volumes.data.wipe[0].volume "vol-01234567" is not one of ebs.ids`, `8:42: volumes.data.wipe[0].found "xyz" is not a fingerprint (copy it from the refusal)`,
			"8:48: volumes.data.wipe[1].found missing (the fingerprint that the refusal printed)", "8:81: volumes.data.wipe[2].volume missing", "8:98: volumes.data.wipe[3] must be a mapping, not text"}},
		{"encryption none, long name", "version: 1\nvolumes: {a-long-name-x: {" + ids + ", mount: /srv/data, encryption: none}}\n", []string{
			"2:94: volumes.a-long-name-x.encryption a volume that is not encrypted is known by its file system's label, which has room for 12 bytes (a shorter name)"}},
		{"encryption unknown", volume(ids + "\nmount: /srv/data\nencryption: nothing"), []string{"6:17: volumes.data.encryption must be a mapping, not text"}},
		{"encryption of KMS", volume(ids + "\nmount: /srv/data\nencryption: {kms: {}, key: hunter2}"), []string{
			"6:23: volumes.data.encryption.kms.ciphertext missing (the output of bootswain key new --kms)",
			"6:23: volumes.data.encryption.kms.context missing (the output of bootswain key new --kms, as in {set: orders-db})", "6:27: volumes.data.encryption.key unknown"}},
		{"encryption empty", volume(ids + "\nmount: /srv/data\nencryption: {}"), []string{"6:17: volumes.data.encryption.sealed missing (the output of bootswain seal; or kms, secretsmanager, ssm, command, unlock)"}},
		{"sealed", volume(ids + "\nmount: /srv/data\nencryption: {sealed: hunter2}"), []string{"6:26: volumes.data.encryption.sealed is neither age armor nor base64, or was cut short (the output of bootswain seal)"}},
		{"recovery", volume(ids + "\nmount: /srv/data\nencryption: {recovery: " + nobody.String() + "}"), []string{"6:28: volumes.data.encryption.recovery is not an age recipient (age1…, as age-keygen -y prints it, or none)"}},
		{"recovery two", volume(ids + "\nmount: /srv/data\nencryption: {recovery: [" + nobody.Recipient().String() + "]}"), []string{"6:28: volumes.data.encryption.recovery must be text, not a list"}},
		{"sealed other", volume(ids + "\nmount: /srv/data\nencryption: {sealed: aHVudGVyMg==}"), []string{"6:26: volumes.data.encryption.sealed is not an age ciphertext, or was cut short (the output of bootswain seal)"}},
		{"sealed cut", volume(ids + "\nmount: /srv/data\nencryption: {sealed: " + sealed64[:len(sealed64)-108] + "}"), []string{"6:26: volumes.data.encryption.sealed is an age ciphertext without a key in it, or was cut short (the output of bootswain seal)"}},
		{"filesystem", volume(ids + "\nmount: /srv/data\nfilesystem: {type: zfs, options: [noauto, 'a b', noatime, noatime]}"), []string{
			`6:24: volumes.data.filesystem.type "zfs" is not supported by this version (xfs or ext4)`, `6:39: volumes.data.filesystem.options "noauto" is for bootswain to say (leave it out)`,
			`6:47: volumes.data.filesystem.options "a b" is not a mount option`, `6:63: volumes.data.filesystem.options "noatime" is given twice`}},
		{"instance store", volume("instance_store: some\nmount: /mnt/scratch\nebs: {devices: [/dev/sdf]}\ncreate: if_blank"), []string{
			"4:5: volumes.data.encryption instance storage is lost with its machine, and so is its key (encryption: ephemeral)",
			"4:21: volumes.data.instance_store is neither all nor a number from 1 to 16", "6:10: volumes.data.ebs contradicts instance_store (keep one of them)",
			"7:13: volumes.data.create goes without saying: instance storage is made anew with each boot, if it is blank or this volume's own (leave it out)"}},
		{"instance store wipe", volume("instance_store: 2\nmount: /mnt/scratch\nencryption: ephemeral\nwipe: [{volume: vol-01234567, found: 3f9c2d}]"), []string{
			`7:21: volumes.data.wipe[0].volume "vol-01234567" is not the serial number of an instance storage disk (AWS and 17 hexadecimal digits)`}},
		{"instance store twice", "version: 1\nvolumes:\n  a: {instance_store: 1, mount: /mnt/a, encryption: ephemeral}\n  b: {instance_store: 1, mount: /mnt/b, encryption: ephemeral}\nmysql: {volume: a}\n", []string{
			"4:23: volumes.b.instance_store belongs to volume a already", `5:17: mysql.volume names "a", which is lost with each boot (name a volume on EBS)`}},
		{"ephemeral EBS", volume(ids + "\nmount: /srv/data\nencryption: ephemeral\nprefill: true"), []string{
			"6:17: volumes.data.encryption ephemeral forgets the key with each boot, and an EBS volume outlives that (instance_store: all in place of ebs)",
			"7:14: volumes.data.prefill is for instance_store (leave it out)"}},
		{"overdue", volume(ids + "\nmount: /srv/data\noverdue_after: 5\nrequired: maybe"), []string{
			"6:20: volumes.data.overdue_after must be text, not a number (quote it)", "7:15: volumes.data.required must be true or false, not text"}},
		{"overdue long", volume(ids + "\nmount: /srv/data\noverdue_after: 53w"), []string{`6:20: volumes.data.overdue_after "53w" is not a duration of at most 52 weeks (as in 90s, 5m, 2h30m, 3d or 1w)`}},
		{"shared", "version: 1\nvolumes:\n  a: {" + ids + ", mount: /srv/data}\n  b: {" + ids + ", mount: /srv/data/b}\n  c: {ebs: {devices: [/dev/sdf]}, mount: /srv/data}\n", []string{
			`4:19: volumes.b.ebs.ids[0] "vol-0123456789abcdef0" belongs to volume a already`,
			`4:51: volumes.b.mount "/srv/data/b" and /srv/data of volume a lie one inside the other (mount them beside each other)`,
			`5:42: volumes.c.mount "/srv/data" is where volume a is mounted already`,
			`5:42: volumes.c.mount "/srv/data" and /srv/data/b of volume b lie one inside the other (mount them beside each other)`}},
	}
	tests = append(tests, struct {
		name, doc string
		want      []string
	}{"devices many", volume("mount: /srv/data\nebs: {devices: [" + many + "]}"), func() []string {
		want := []string{"5:20: volumes.data.ebs.devices names 17 devices; a volume has 1 to 16"}
		for i := 1; i < 17; i++ {
			want = append(want, fmt.Sprintf(`5:%d: volumes.data.ebs.devices[%d] "/dev/sdf" is given twice`, 21+10*i, i))
		}
		return want
	}()})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Parse([]byte(tt.doc))
			var faults *Errors
			if !errors.As(err, &faults) {
				t.Fatalf("got error %v, want faults", err)
			}
			if got, want := faults.Long(), strings.Join(tt.want, "\n")+"\n"; got != want {
				t.Errorf("got\n%swant\n%s", got, want)
			}
			if s != nil && (s.Volumes != nil || s.MySQL != nil) {
				t.Error("volumes are returned with faults")
			}
		})
	}
}

func TestMountRule(t *testing.T) {
	refused := map[string]string{
		"/": "belongs to the system", "/usr": "belongs to the system", "/usr/lib/x": "belongs to the system", "/etc/x": "belongs to the system", "/var": "belongs to the system",
		"/proc/x": "belongs to the system", "/home": "belongs to the system", "/var/lib/mysql": "is the database's own place", "/srv/../etc": "is not an absolute path in its shortest form",
		"srv": "is not an absolute path in its shortest form", "/srv/": "is not an absolute path in its shortest form", "/srv/a b": "is not at most 60 letters",
		"/srv/" + strings.Repeat("-", 60): "is not at most 60 letters",
	}
	for mount, want := range refused {
		_, err := Parse([]byte("version: 1\nvolumes: {data: {ebs: {devices: [/dev/sdf]}, mount: '" + mount + "'}}\n"))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "2:53: volumes.data.mount ") {
			t.Errorf("mount %s: got %v, want %q", mount, err, want)
		}
	}
	for _, mount := range []string{"/srv", "/srv/data", "/mnt/x-1", "/var/lib/postgresql", "/opt/app", "/home/shared"} {
		if _, err := Parse([]byte("version: 1\nvolumes: {data: {ebs: {devices: [/dev/sdf]}, mount: '" + mount + "'}}\n")); err != nil {
			t.Errorf("mount %s: %v", mount, err)
		}
	}
}

// TestSoundUsers is the rule that an entry with any fault gives no access,
// while faults elsewhere do not lock people out.
func TestSoundUsers(t *testing.T) {
	tests := []struct {
		name, doc string
		want      []string
	}{
		{"volume fault", "version: 1\nusers: [{name: ops}]\nvolumes: {data: {ebz: 1}}\n", []string{"ops"}},
		{"misspelt expires", "version: 1\nusers: [{name: ops}, {name: dba, expire: 2027-01-31T00:00:00Z}]\n", []string{"ops"}},
		{"same name", "version: 1\nusers: [{name: ops, sudo: true}, {name: ops}, {name: dba}]\n", []string{"dba"}},
		{"same name, one faulty", "version: 1\nusers: [{name: ops, sudo: 1}, {name: ops}]\n", nil},
		{"users twice", "version: 1\nusers: [{name: ops}]\nusers: [{name: ops, expires: 2027-01-31T00:00:00Z}]\n", nil},
		{"key twice", "version: 1\nusers: [{name: ops, expires: 2027-01-31T00:00:00Z, expires: 2028-01-31T00:00:00Z}]\n", nil},
		{"bad key", "version: 1\nusers: [{name: ops, ssh_authorized_keys: [x]}]\n", nil},
		{"no version", "users: [{name: ops}]\n", []string{"ops"}},
	}
	for _, tt := range tests {
		s, err := Parse([]byte(tt.doc))
		if err == nil || s == nil {
			t.Errorf("%s: got %v, %v, want users and faults", tt.name, s, err)
			continue
		}
		var names []string
		for _, u := range s.Users {
			names = append(names, u.Name)
		}
		if !slices.Equal(names, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, names, tt.want)
		}
	}
}

func TestErrorsInOneLine(t *testing.T) {
	_, err := Parse([]byte("version: 1\nvolumes:\n  data:\n    ebz: 1\n    mount: /\n"))
	const want = "4:5: volumes.data.ebs missing (ebs: {ids: [vol-…]} or ebs: {devices: [/dev/sdf]}), 2 more"
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

func TestCheckSSHKey(t *testing.T) {
	line := func(bits int) string {
		k, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		pub, err := ssh.NewPublicKey(k.Public())
		if err != nil {
			t.Fatal(err)
		}
		return string(ssh.MarshalAuthorizedKey(pub))
	}
	words := strings.Fields(key1)
	for _, good := range []string{key1, `from="10.0.0.0/8",no-pty ` + key1, `from="!10.1.0.0/16,*.example.org,10.0.0.1" ` + key1,
		`restrict,command="echo \"hi, there\"" ` + key1, `cert-authority,principals="ops,dba" ` + key1, `no-X11-forwarding,expiry-time="202701311200Z" ` + key1, words[0] + " " + words[1], strings.TrimSpace(line(2048))} {
		if err := CheckSSHKey(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	tests := []struct{ name, line, want string }{
		{"private", "-----BEGIN OPENSSH PRIVATE KEY-----\nx", "is a private key"},
		{"two", key1 + "\n" + key1, "is more than one line"},
		{"word", "hello", "no key type such as ssh-ed25519"},
		{"comment", "# " + key1[3:], "no key type such as ssh-ed25519"},
		{"bare type", "ssh-ed25519", "nothing follows ssh-ed25519"},
		{"dots", "ssh-ed25519 AAAA... ops", "is not base64, or was cut short"},
		{"cut", key1[:40], "is damaged or was cut short"},
		{"other type", "ssh-rsa " + words[1], "says ssh-rsa, but its data is of type ssh-ed25519"},
		{"rsa", strings.TrimSpace(line(1024)), "is an RSA key of 1024 bits"},
		{"options", `from="10.0.0.0/8 ` + key1, "the options before ssh-ed25519 are not well-formed"},
		{"unknown option", "no-ptty " + key1, `has the option "no-ptty", which sshd does not know (no-pty?)`},
		{"value", `pty="yes" ` + key1, "has the option pty with a value, which it does not take"},
		{"no value", "command " + key1, `has the option command without a value in quotes: command="…"`},
		{"no quotes", "from=10.0.0.1 " + key1, "has the option from without a value in quotes"},
		{"empty", `command="" ` + key1, "has the option command whose value is empty"},
		{"expiry", `expiry-time="tomorrow" ` + key1, "has the option expiry-time whose value is no time as in 20270131, "},
		{"expiry month", `expiry-time="20271301" ` + key1, "has the option expiry-time whose value is no time"},
		{"network", `from="10.0.0.0/40" ` + key1, `has "10.0.0.0/40", which is no network`},
		{"network bits", `from="!10.1.2.3/8" ` + key1, `has "10.1.2.3/8", whose address has bits beyond its length (10.0.0.0/8?)`},
		{"from entry", `from="10.0.0.0/8," ` + key1, "has the option from whose value has an empty entry"},
		{"principals", `principals="ops" ` + key1, "has the option principals without cert-authority"},
		{"certificate", certificate(t), "is a certificate; what belongs here is the key of the authority"},
		{"dsa", "ssh-dss " + base64.StdEncoding.EncodeToString(ssh.Marshal(struct {
			Type       string
			P, Q, G, Y *big.Int
		}{"ssh-dss", new(big.Int).Lsh(big.NewInt(1), 1023), new(big.Int).Lsh(big.NewInt(1), 159), big.NewInt(4), big.NewInt(8)})), "is a DSA key, which is too weak"},
	}
	for _, tt := range tests {
		if err := CheckSSHKey(tt.line); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
}

// certificate is a line with key1's certificate, signed by itself.
func certificate(t *testing.T) string {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	c := &ssh.Certificate{Key: signer.PublicKey(), CertType: ssh.UserCert}
	if err := c.SignCert(rand.Reader, signer); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(c)))
}

func TestParseKeyExpiry(t *testing.T) {
	s, err := Parse([]byte("version: 1\nusers:\n- name: ops\n  ssh_authorized_keys:\n  - " + key1 + "\n  - {key: " + key1 + ", expires: 2027-01-31T10:00:00+01:00}\n" +
		"  - {key: 'no-pty " + key1 + "', expires: 2027-01-31T09:00:00Z}\n"))
	want := []string{key1, `expiry-time="20270131090000Z" ` + key1, `expiry-time="20270131090000Z",no-pty ` + key1}
	if err != nil || !slices.Equal(s.Users[0].SSHAuthorizedKeys, want) {
		t.Errorf("got %q, %v", s.Users[0].SSHAuthorizedKeys, err)
	}
}

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{"5m": 5 * time.Minute, "1w": 168 * time.Hour, "3d": 72 * time.Hour, "1w2d3h30m": 219*time.Hour + 30*time.Minute, "1.5h": 90 * time.Minute} {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("%s: got %s, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "5", "d", "1h2d", "-5m", "1d-1h", "+5m", "99999w", "9999999h", "one day"} {
		if got, err := ParseDuration(text); err == nil || err.Error() != "not a duration" {
			t.Errorf("%q: got %s, %v, want an error", text, got, err)
		}
	}
}

func TestParseSealed(t *testing.T) {
	for name, text := range map[string]string{"stanza": "encryption:\n  sealed: " + sealed64 + "\n", "base64": sealed64 + "\n", "armor": armored()} {
		if got, err := ParseSealed([]byte(text)); err != nil || !bytes.Equal(got, sealed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, text := range map[string]string{"empty": "", "another stanza": "users: []", "no key": "encryption: {sealed: hunter2}"} {
		if _, err := ParseSealed([]byte(text)); err == nil || !strings.Contains(err.Error(), "sealed") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestHealthInDoubt: where a fault may be about who may ask, nobody outside the
// machine is answered; another fault leaves the address as it is.
func TestHealthInDoubt(t *testing.T) {
	for more, want := range map[string]Health{
		"web_confg: /w.yml":                    {},
		"web_config: w.yml":                    {},
		"web_config: /w.yml, web_config: /x":   {},
		"web_config: /w.yml, services: [a b]":  {Listen: "0.0.0.0:8273", WebConfig: "/w.yml", Services: []string{"a b.service"}},
		"web_config: /w.yml, checks: {a: {}}":  {Listen: "0.0.0.0:8273", WebConfig: "/w.yml"},
		"web_config: /w.yml, servces: [nginx]": {},
		"web_config: /w.yml, rpo: {a: {}}":     {Listen: "0.0.0.0:8273", WebConfig: "/w.yml"},
	} {
		s, err := Parse([]byte("version: 1\nhealth: {listen: '0.0.0.0:8273', " + more + "}\n"))
		if err == nil {
			t.Errorf("%s: no fault", more)
		}
		s.Health.Checks, s.Health.RPO = nil, nil
		if !reflect.DeepEqual(s.Health, want) {
			t.Errorf("%s: %+v, want %+v", more, s.Health, want)
		}
	}
}
