package e2e

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"bootswain/lab"
	"bootswain/lab/awsjson"
)

// Where the keys of this story's volumes and its further documents are.
const (
	keySecret    = "orders/volume-key"
	keyParameter = "/orders/volume-key"
	keyProgram   = "/usr/local/sbin/volume-key"
	included     = "/orders/launch"
)

// TestLaunchData is one machine that gets its launch data from everywhere: from
// the metadata service with a part in Systems Manager, then, stopped and started,
// other launch data with a role of its image and a part in S3, and at last a
// NoCloud seed that cloud-init reads beside it. Its volumes' keys come from
// everywhere, too.
func TestLaunchData(t *testing.T) {
	b := open(t)
	s := &launchStory{bench: b, volumes: b.volumes(5, 48<<20), colleague: newPerson(t, "colleague")}
	disk, err := b.lab.InstanceStore(320 << 20)
	must(t, err)
	buckets, err := b.lab.S3(b.ctx, "launch")
	must(t, err)
	withFallback := strings.TrimSuffix(b.inKMS(), "}") + ", fallback: [{ssm: {parameter: /orders/none}}, {secretsmanager: {secret: " + keySecret + "}}]}"
	b.lab.AWS.AddParameter(included, "version: 1\nhealth: {listen: 0.0.0.0:8273}\nvolumes:\n"+
		s.stanza(0, "left", "{secretsmanager: {secret: "+keySecret+"}}", "{type: ext4}", "/srv/left")+
		s.stanza(1, "moved", "{ssm: {parameter: "+keyParameter+"}}", "{type: ext4}", "/srv/before")+
		s.stanza(2, "program", "{command: ["+keyProgram+", orders]}", "{type: ext4}", "/srv/program")+
		s.stanza(3, "brought", "{unlock: true}", "{type: ext4}", "/srv/brought")+
		s.stanza(4, "orders", withFallback, "{type: ext4}", "/srv/orders"))
	// One volume is left out of what comes later, and others are to be otherwise.
	must(t, buckets.Put(b.ctx, "launch/application.yaml", gzipped(t, "#bootswain\nversion: 1\nvolumes:\n"+
		s.stanza(1, "moved", "{ssm: {parameter: "+keyParameter+"}}", "{type: ext4}", "/srv/after")+
		s.stanza(2, "program", "{command: ["+keyProgram+", orders]}", "{type: xfs}", "/srv/program")+
		s.stanza(3, "brought", "{unlock: true}", "{type: ext4, options: [noatime]}", "/srv/brought")+
		s.stanza(4, "orders", withFallback, "{type: ext4}", "/srv/orders"))))
	b.lab.AWS.AddSecret(included, "version: 1\nenv: {FROM: a secret}\n")
	b.lab.AWS.AddParameter(keyParameter, string(b.canary))
	b.lab.AWS.AddSecret(keySecret, string(b.canary))
	b.lab.AWS.SetFault(awsjson.Fault{Denied: []string{"GetParameter"}})

	two := time.Now().Add(48 * time.Hour).UTC().Format(time.RFC3339)
	document := b.documented("A colleague for two days:", []person{b.ops, s.colleague}, "2026-11-24T18:00:00Z", two) + "include: ssm:" + included + "\n"
	s.m = b.start(lab.MachineOptions{
		Append: noDatabase, Role: "db-prod", PublicKeys: []string{b.owner.line},
		Volumes: append([]*lab.Volume{s.seed(), disk}, s.volumes...), UserData: inCloudConfig(document),
	})
	s.includedLate()
	s.instanceConnect()
	s.keySources()
	s.colleagueForTwoDays()
	s.changedWhileUp()
	s.changedByStop()
	s.noCloudBesideCloudInit()
}

type launchStory struct {
	*bench
	m         *lab.Machine
	volumes   []*lab.Volume
	colleague person
	connected person // whose key comes from EC2 Instance Connect
}

// stanza is a small volume whose key comes from somewhere.
func (s *launchStory) stanza(i int, name, encryption, kind, mount string) string {
	return fmt.Sprintf("  %s:\n    ebs: {ids: [%s]}\n    create: if_blank\n    encryption: %s\n    filesystem: %s\n    mount: %s\n",
		name, s.volumes[i].ID, encryption, kind, mount)
}

// includedLate: larger documents by reference. While the role may not read one,
// people get in, and no disk is touched.
func (s *launchStory) includedLate() {
	s.waitSentence(s.m, "WAITING launch data: ssm:"+included+" could not be read: ")
	s.waitSentence(s.m, "denied GetParameter to role db-prod")
	s.booted(s.m)
	s.mayLogIn(s.m, s.ops, s.owner, s.colleague)
	s.blank(s.volumes)
	s.lab.AWS.SetFault(awsjson.Fault{})
	s.step("a document in Systems Manager that is denied, and then granted")
}

// instanceConnect sets sshd up as Amazon's package ec2-instance-connect does it.
// https://github.com/aws/aws-ec2-instance-connect-config
func (s *launchStory) instanceConnect() {
	const program = "/usr/share/ec2-instance-connect/eic_run_authorized_keys"
	s.connected = newPerson(s.T, "ops")
	s.m.IMDS.Set("meta-data/managed-ssh-keys/active-keys/ops/", s.connected.line+"\n")
	s.sh(s.m, "mkdir -p /usr/share/ec2-instance-connect /etc/systemd/system/ssh.service.d")
	must(s, s.m.WriteFile(s.ctx, program, []byte(`#!/bin/sh
imds=http://169.254.169.254/latest
token=$(curl -s -f -m 5 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 5' $imds/api/token) || exit 255
curl -s -f -m 5 -H "X-aws-ec2-metadata-token: $token" $imds/meta-data/managed-ssh-keys/active-keys/$1/
`), 0o755))
	must(s, s.m.WriteFile(s.ctx, "/etc/systemd/system/ssh.service.d/ec2-instance-connect.conf", []byte(
		"[Service]\nExecStart=\nExecStart=/usr/sbin/sshd -D -o \"AuthorizedKeysCommand "+program+" %%u %%f\" -o \"AuthorizedKeysCommandUser nobody\" $SSHD_OPTS\n"), 0o644))
	// All of the story come from one address, and who is refused often is shut out.
	s.sh(s.m, "echo PerSourcePenalties no >/etc/ssh/sshd_config.d/95-story.conf; systemctl daemon-reload; systemctl restart ssh")
	s.mayLogIn(s.m, s.ops, s.owner, s.connected)
	s.mayNot(s.m, newPerson(s.T, "ops"))
	s.step("EC2 Instance Connect keeps working")
}

// keySources: secretsmanager, ssm, command, unlock, and KMS with others to fall
// back to.
func (s *launchStory) keySources() {
	s.waitSentence(s.m, "LOCKED program: its key comes from "+keyProgram+", which is not run: this image has no "+keyProgram)
	s.waitSentence(s.m, "LOCKED brought: its key is brought from outside. Data untouched.\n  next: bootswain unlock brought < KEY")
	must(s, s.m.WriteFile(s.ctx, keyProgram, []byte("#!/bin/sh\n[ \"$1\" = orders ] && printf %s "+strings.Repeat("k", 32)+"\n"), 0o755))
	s.sh(s.m, "bootswain apply program")
	s.unlock()
	s.ready(s.m)
	s.sh(s.m, "for v in left before program brought orders; do findmnt -n /srv/$v >/dev/null; echo $v >/srv/$v/name; done; sync")
	s.noLeak(s.m, "with keys from everywhere")
	s.step("keys from Secrets Manager, Systems Manager, a program, a person and KMS")
}

// unlock brings a key over SSH, as docs/encryption.md has it.
func (s *launchStory) unlock() {
	client, err := s.m.Dial(s.ctx, s.ops.name, s.ops.signer)
	must(s, err)
	defer client.Close()
	session, err := client.NewSession()
	must(s, err)
	session.Stdin = bytes.NewReader(s.canary)
	if out, err := session.CombinedOutput("sudo bootswain unlock brought"); err != nil || !strings.Contains(string(out), "READY brought: ") {
		s.Errorf("unlock over SSH: %v, %s", err, out)
	}
}

// colleagueForTwoDays: after them nobody logs in as the colleague.
func (s *launchStory) colleagueForTwoDays() {
	s.mayLogIn(s.m, s.colleague)
	s.sh(s.m, "date -s '+3 days'")
	s.mayNot(s.m, s.colleague)
	s.mayLogIn(s.m, s.ops)
	s.sh(s.m, "date -s '-3 days'")
	s.step("a colleague was in for two days")
}

// changed is the launch data of the second boot: the reference's application
// server, with a role and an included document.
func (s *launchStory) changed() string {
	return s.documented("An application server with scratch space, told where its database is:", []person{s.ops}) +
		"role: application\ninclude: s3://launch/application.yaml\n"
}

// changedWhileUp: what will not be changed on a living machine is said.
func (s *launchStory) changedWhileUp() {
	out := s.apply(s.m, s.changed(), 5)
	if want := `role "application" is not in /etc/bootswain/roles (there are none)`; !strings.Contains(out, want) {
		s.Errorf("without its role, apply does not say %q:\n%s", want, out)
	}
	s.sh(s.m, "mkdir -p /etc/bootswain/roles")
	must(s, s.m.WriteFile(s.ctx, "/etc/bootswain/roles/application.yaml", []byte(
		"version: 1\nhealth: {listen: 0.0.0.0:8273}\nenv: {DB_PORT: 5432, GREETING: 'it costs \"$5\"'}\n"), 0o644))
	out = s.apply(s.m, s.changed(), 4)
	for _, want := range []string{
		"brought: mount options hold from the next mount on: bootswain down brought and bootswain up brought, or a reboot",
		"WAITING moved: it is mounted on /srv/before, and is to be on /srv/after; what may be in use stays where it is.",
	} {
		if !strings.Contains(out, want) {
			s.Errorf("changed while it is up, apply does not say %q:\n%s", want, out)
		}
	}
	s.mayNot(s.m, s.colleague)
	s.step("said what is not changed while it is up")
}

// changedByStop: changed launch data after stop and start converges, here with
// KMS denied, so that a key comes from what it falls back to.
func (s *launchStory) changedByStop() {
	must(s, s.m.Shutdown(s.ctx))
	s.m.IMDS.Set("user-data", string(gzipped(s.T, s.changed())))
	s.lab.AWS.SetFault(denied)
	must(s, s.m.PowerOn(s.ctx))
	must(s, s.m.Ready(s.ctx))
	s.waitSentence(s.m, "LOCKED brought: its key is brought from outside")
	s.unlock()
	s.ready(s.m)
	s.sh(s.m, "for v in left after program brought orders; do findmnt -n /srv/$v >/dev/null; cat /srv/$v/name; done; ! findmnt -n /srv/before; findmnt -n /mnt/scratch; findmnt -n -o OPTIONS /srv/brought | grep noatime")
	if status := s.sh(s.m, "bootswain status"); !strings.Contains(status, "Its file system stays ext4; type: xfs is for new ones.") {
		s.Errorf("status says nothing of the type:\n%s", status)
	}
	if asked := fmt.Sprint(s.lab.AWS.Requests()); !containsAll(asked, "Decrypt db-prod AccessDeniedException", "GetParameter db-prod ParameterNotFound") {
		s.Errorf("no fallback from one source to the next: %s", asked)
	}
	s.mayNot(s.m, s.colleague)
	s.mayLogIn(s.m, s.ops, s.owner, s.connected)

	if env := s.sh(s.m, "systemd-run --quiet --wait --pipe -p EnvironmentFile=/run/bootswain/env env; . /run/bootswain/env; echo shell=$GREETING"); !containsAll(env,
		"DB_HOST=orders-db.internal\n", "DB_PORT=3306\n", "GREETING=it costs \"$5\"\n", "shell=it costs \"$5\"") {
		s.Errorf("applications are told %s", env)
	}
	show := s.sh(s.m, "bootswain config show")
	if !containsAll(show, "DB_PORT: 3306 # launch data ", "GREETING: it costs \"$5\" # role application 3:", "mount: /srv/after # s3://launch/application.yaml ",
		"ciphertext: '[sealed, ", "required: false # launch data ", "sudo: true # launch data ") {
		s.Errorf("config show: %s", show)
	}
	s.step("stopped and started with other launch data:\n%s", show)
}

// noCloudBesideCloudInit: another source, and cloud-init, which reads the same.
// Neither undoes the other's users.
func (s *launchStory) noCloudBesideCloudInit() {
	cira, shared := newPerson(s.T, "cira"), newPerson(s.T, "ops")
	must(s, s.m.WriteFile(s.ctx, "/run/user-data", []byte("MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"==part==\"\n\n"+
		"--==part==\nContent-Type: text/cloud-config; charset=\"utf-8\"\n\n#cloud-config\n"+
		"cloud_init_modules: [users-groups, ssh]\ncloud_config_modules: [set-passwords]\ncloud_final_modules: []\n"+
		"ssh_deletekeys: false\nssh_genkeytypes: [ed25519]\nssh_pwauth: true\n"+
		"users:\n- default\n- {name: cira, ssh_authorized_keys: ["+cira.line+"]}\n- {name: ops, ssh_authorized_keys: ["+shared.line+"]}\n"+
		"--==part==\nContent-Type: text/x-bootswain\n\nversion: 1\n"+
		"users: [{name: ops, sudo: true, ssh_authorized_keys: ["+s.ops.line+"]}]\ninclude: secretsmanager:"+included+"\n--==part==--\n"), 0o600))
	must(s, s.m.WriteFile(s.ctx, "/run/meta-data", []byte("instance-id: iid-lab\npublic-keys: ["+s.owner.line+"]\n"), 0o600))
	s.sh(s.m, "mount -t vfat /dev/disk/by-label/CIDATA /mnt && cp /run/user-data /run/meta-data /mnt && umount /mnt"+
		" && printf 'launch:\\n  nocloud: cidata\\n' >>/etc/bootswain/bootswain.yaml && rm /etc/cloud/cloud-init.disabled")
	must(s, s.m.Shutdown(s.ctx))
	before := len(s.m.IMDS.Requests())
	s.lab.AWS.SetFault(awsjson.Fault{})
	s.m.SetAppend(noDatabase + " ds=nocloud network-config=disabled")
	must(s, s.m.PowerOn(s.ctx))
	must(s, s.m.Ready(s.ctx))
	s.sh(s.m, "timeout 600 cloud-init status --wait >/dev/null || true")
	s.waitSentence(s.m, "READY left: ")

	people := []person{s.ops, s.owner, cira, shared, {"debian", s.owner.signer, ""}, s.connected}
	s.mayLogIn(s.m, people...)
	const accounts = "cat /etc/passwd /etc/group; find /etc/bootswain/keys /etc/sudoers.d /home/*/.ssh -type f -exec md5sum {} +"
	was := s.sh(s.m, accounts)
	s.sh(s.m, "bootswain access; cloud-init single --name users-groups --frequency always; cloud-init single --name ssh --frequency always; bootswain access")
	if now := s.sh(s.m, accounts); now != was {
		s.Errorf("bootswain and cloud-init do not leave each other's alone: %s\nwas\n%s", now, was)
	}
	s.mayLogIn(s.m, people...)
	if set := s.sh(s.m, "cat /etc/ssh/sshd_config.d/50-cloud-init.conf; sshd -T | grep ^passwordauthentication"); set != "PasswordAuthentication yes\npasswordauthentication no" {
		s.Errorf("cloud-init lets passwords in: %s", set)
	}
	if said := s.sh(s.m, "grep -E 'WARN|ERROR|Unhandled' /var/log/cloud-init.log || true; cloud-init status"); said != "status: done" {
		s.Errorf("cloud-init says %s", said)
	}
	if env := s.sh(s.m, "cat /run/bootswain/env"); env != `FROM="a secret"` {
		s.Errorf("the document in Secrets Manager says FROM: a secret, and applications are told %s", env)
	}
	for _, r := range s.m.IMDS.Requests()[before:] {
		if r.Method == http.MethodGet && strings.HasSuffix(r.Path, "/user-data") {
			s.Errorf("the metadata service was asked for %s, though the seed has it", r.Path)
		}
	}
	if restarts := s.sh(s.m, "systemctl show -P NRestarts bootswain"); restarts != "0" {
		s.Errorf("the daemon was started again %s times", restarts)
	}
	s.step("a NoCloud seed, beside cloud-init")
}

// seed is a disk with a NoCloud seed.
func (s *launchStory) seed() *lab.Volume {
	f, err := os.Open("../launch/testdata/cidata-vfat.gz")
	must(s, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	must(s, err)
	image, err := io.ReadAll(z)
	must(s, err)
	v, err := s.lab.Volume(int64(len(image)))
	must(s, err)
	must(s, second(v.WriteAt(image, 0)))
	return v
}

// inCloudConfig is a document as a key of cloud-init's.
func inCloudConfig(document string) []byte {
	return []byte("#cloud-config\nhostname: db\nbootswain:\n  " + strings.ReplaceAll(strings.TrimSpace(document), "\n", "\n  ") + "\n")
}

func gzipped(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	must(t, second(io.WriteString(z, text)))
	must(t, z.Close())
	return b.Bytes()
}

func containsAll(text string, all ...string) bool {
	for _, want := range all {
		if !strings.Contains(text, want) {
			return false
		}
	}
	return true
}
