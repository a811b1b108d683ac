package e2e

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"bootswain/lab"
	"bootswain/lab/awsjson"
	"bootswain/lab/nbd"
)

// elsewhere are the checks that are not shown here, and why.
var elsewhere = map[string]string{
	"latency": "a disk that gets slower needs a baseline of six hours; TestPrometheus brings one",
}

// TestHealth makes every check of the documentation fail for its true reason and
// pass again, on two machines: one with a database, and one whose clock counts
// instructions, so that minutes of idleness cost the host seconds.
func TestHealth(t *testing.T) {
	b := open(t)
	book := &book{seen: map[string]bool{}, shown: map[string]bool{}}
	b.Run("machines", func(t *testing.T) {
		t.Run("busy", func(t *testing.T) { t.Parallel(); newPatient(b.beside(t), book).day() })
		t.Run("long", func(t *testing.T) {
			t.Parallel()
			p := newPatient(b.beside(t), book)
			p.pause = 3 * time.Second
			p.month()
		})
	})
	if b.Failed() {
		return
	}
	listed := b.listedChecks()
	for name := range book.seen {
		if !listed[name] {
			b.Errorf("the check %s is in no table of the documentation", name)
		}
	}
	for name := range listed {
		if !book.shown[name] && elsewhere[name] == "" {
			b.Errorf("the check %s was never made to fail", name)
		}
	}
	b.step("%d of %d checks failed for their reason and passed again: %s", len(book.shown), len(listed), strings.Join(slices.Sorted(maps.Keys(book.shown)), ", "))
	for name, why := range elsewhere {
		b.step("not shown: %s: %s", name, why)
	}
}

func newPatient(b *bench, k *book) *patient { return &patient{bench: b, book: k, pause: time.Second} }

// app is what a machine is for: it answers over HTTP, and leaves files behind.
const app = `cat >/usr/local/bin/app <<'END'
#!/usr/bin/perl
use IO::Socket::INET;
$SIG{PIPE} = 'IGNORE';
my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1:8080', Listen => 5, ReuseAddr => 1) or die;
while (my $c = $s->accept) {
	while (<$c>) { last if /^\r?$/ }
	print $c "HTTP/1.0 200 OK\r\n\r\nwell\n";
	close $c;
}
END
cat >/usr/local/bin/check-orders <<'END'
#!/bin/sh
[ -e /var/lib/orders ] && echo 'orders flow | orders=3' && exit
echo 'no orders come in'
exit 2
END
chmod 755 /usr/local/bin/app /usr/local/bin/check-orders
touch /var/lib/orders /var/lib/report
printf '[Service]\nExecStart=/usr/local/bin/app\n' >/etc/systemd/system/app.service
systemctl daemon-reload
systemctl start app`

// day is the life of the machine with a database.
func (p *patient) day() {
	data, plain, small := p.volumes(2, 160<<20), p.volumes(1, 320<<20)[0], p.volumes(1, 32<<20)[0]
	unencrypted := func(name, kind string, v *lab.Volume) string {
		return fmt.Sprintf("  %s:\n    ebs: {ids: [%s]}\n    create: if_blank\n    encryption: none\n    filesystem: {type: %s}\n    mount: /srv/%[1]s\n", name, v.ID, kind)
	}
	volumes := p.stanza("data", "/srv/data", data...) + unencrypted("plain", "xfs", plain) + unencrypted("small", "ext4", small)
	const asked = `health:
  listen: 0.0.0.0:8273
  services: [app]
  checks:
    web: {http: "http://127.0.0.1:8080/", every: 5s}
    port: {tcp: "127.0.0.1:8080", every: 5s}
    orders: {command: [/usr/local/bin/check-orders], every: 10s, timeout: 10s}
    report: {file: /var/lib/report, max_age: 26h, every: 5s}
  rpo: {plain: {snapshot: 6h, backup: 26h}}
  limits: {"mysql:history": {warn: 500}}
`
	document := func(database string) string {
		text := string(p.document(volumes, "mysql: {volume: data"+database+"}\nimds: {restrict: [root]}\n"+usersFrom("")))
		return strings.Replace(text, "health: {listen: 0.0.0.0:8273}\n", asked, 1)
	}
	well := func() { p.Helper(); p.apply([]byte(document("")), 0) }
	p.lab.AWS.AddParameter("/bootswain/orders-db/users", "version: 1\nusers: []\n")
	p.m = p.start(lab.MachineOptions{
		Volumes: append(slices.Clone(data), plain, small), Role: "db-prod", PublicKeys: []string{p.owner.line},
		UserData: []byte(strings.Replace(document(""), asked, "health: {listen: 0.0.0.0:8273}\n", 1)),
	})
	p.ready(p.m)
	p.sh(p.m, app)
	well()

	hang := func(v *lab.Volume, f nbd.Fault) func() { return func() { v.SetFault(f) } }
	p.wave("many things at once",
		ailment{"units", "a unit fails", "warn", "broken.service failed", p.script("systemd-run -q --unit broken false"), p.script("systemctl reset-failed broken")},
		ailment{"service:app.service", "a service is stopped", "fail", "inactive (dead", p.script("systemctl stop app"), p.script("systemctl start app")},
		ailment{"app:web", "nobody answers HTTP", "fail", "connection refused", func() {}, func() {}},
		ailment{"app:port", "nobody listens", "fail", "connection refused", func() {}, func() {}},
		ailment{"app:orders", "a check of the application's own fails", "fail", "no orders come in", p.script("rm /var/lib/orders"), p.script("touch /var/lib/orders")},
		ailment{"app:report", "nobody writes a file any more", "fail", "at most 26h", p.script("touch -d '2 days ago' /var/lib/report"), p.script("touch /var/lib/report")},
		ailment{"users-from", "the role loses its right", "warn", "denied GetParameter", func() {
			p.lab.AWS.SetFault(awsjson.Fault{Denied: []string{"GetParameter"}})
			p.sh(p.m, "bootswain users sync || true")
		}, func() { p.lab.AWS.SetFault(awsjson.Fault{}); p.sh(p.m, "bootswain users sync") }},
		ailment{"imds", "the firewall's rules and its program go", "fail", "cannot be restricted", p.script("mv /usr/sbin/nft /usr/sbin/nft.away; /usr/sbin/nft.away flush ruleset"), p.script("mv /usr/sbin/nft.away /usr/sbin/nft")},
		ailment{"notices", "EC2 wants its Spot instance back", "warn", "EC2 announces terminate: Spot interruption", func() {
			p.m.IMDS.Set("meta-data/spot/instance-action", `{"action": "terminate", "time": "2027-01-01T00:00:00Z"}`)
		}, func() { p.m.IMDS.Delete("meta-data/spot/instance-action") }},
		ailment{"space:/srv/plain", "a disk is full", "fail", "taken", p.script("fallocate -l $(($(stat -f -c '%a*%S' /srv/plain)*97/100)) /srv/plain/much; sync"), p.script("rm /srv/plain/much; sync")},
		ailment{"inodes:/srv/small", "there are many small files", "warn", "of its files taken", p.script("mkdir /srv/small/many; cd /srv/small/many; seq $(($(stat -f -c '%c' /srv/small)*9/10)) | xargs touch; sync"), p.script("rm -r /srv/small/many; sync")},
		ailment{"writable:/srv/small", "a file system becomes read-only", "fail", "became read-only", p.script("mount -o remount,ro /srv/small"), p.script("mount -o remount,rw /srv/small")},
		ailment{"disk:" + plain.ID, "a disk hangs", "fail", "ended none for", func() {
			hang(plain, nbd.Fault{Hang: true})()
			p.sh(p.m, "systemd-run -q --unit reader dd if="+device(plain)+" of=/dev/null iflag=direct bs=4k count=1")
		}, hang(plain, nbd.Fault{})},
		ailment{"memory", "memory runs out", "warn", "available", p.script("mount -t tmpfs -o size=90% tmpfs /mnt; fallocate -l $(awk '/^MemTotal/ {t = $2} /^MemAvailable/ {print int($2 - t*7/100)}' /proc/meminfo)K /mnt/much"), p.script("umount /mnt")},
	)
	p.wave("a daemon that stands still",
		ailment{"daemon", "the daemon stands still", "fail", "no news for", p.script("kill -STOP $(systemctl show -P MainPID bootswain)"), p.script("kill -CONT $(systemctl show -P MainPID bootswain)")})
	p.wave("swap, errors in a file system, and old copies",
		ailment{"snapshot:plain", "no snapshots are made any more", "fail", "the last snapshot is 7h", p.script("touch -d '7 hours ago' /srv/plain/.bootswain-snapshot"), p.script("touch /srv/plain/.bootswain-snapshot")},
		ailment{"backup:plain", "nor backups in time", "warn", "the last backup is 25h", p.script("touch -d '25 hours ago' /srv/plain/.bootswain-backup"), p.script("touch /srv/plain/.bootswain-backup")},
		ailment{"swap", "swap fills", "warn", "taken", p.script("fallocate -l 48M /swap; chmod 600 /swap; mkswap -q /swap; swapon /swap; systemd-run -q --unit hog -p MemoryHigh=8M -p MemorySwapMax=44M perl -e 'my $n = 52 << 20; my $x = \"x\" x $n; sleep'"), p.script("systemctl stop hog; swapoff /swap; rm /swap")},
		ailment{"errors:/srv/small", "ext4 finds an error", "warn", "has noted errors: 1.", p.script("echo found >/sys/fs/ext4/$(basename $(readlink -f /dev/mapper/bootswain-small))/trigger_fs_error"),
			p.script("bootswain down small; e2fsck -fy " + device(small) + " || test $? = 1; bootswain up small")})
	p.wave("launch data with a fault",
		ailment{"launch-data", "launch data has a fault", "fail", "helth unknown", func() {
			p.m.IMDS.Set("user-data", document("")+"helth: {}\n")
			p.sh(p.m, "rm /run/bootswain/launch.json; systemctl restart bootswain")
		}, well})
	p.wave("a user who cannot be set up",
		ailment{"users", "a shell is not installed", "fail", "the shell /bin/zsh is not installed", func() {
			p.apply([]byte(strings.Replace(document(""), "users:\n", "users:\n  - {name: visitor, shell: /bin/zsh}\n", 1)), 1)
		}, well})
	p.databaseWaves(document, data)
	p.guarded(document)
	_, err := p.m.Cut(lab.CutOptions{}) // the other machine can have both processors
	must(p, err)
}

// databaseWaves are what only a database can suffer from, and the loss of its
// volume.
func (p *patient) databaseWaves(document func(string) string, data []*lab.Volume) {
	p.wave("a database that is asked for too much",
		ailment{"mysql:replication", "the source is not reached", "warn", "not connected", func() { p.sql(p.m, mariadb.follow()) }, func() { p.sql(p.m, "stop replica; reset replica all") }},
		ailment{"mysql:connections", "clients take all connections", "warn", "of 10 connections", func() {
			p.sql(p.m, "set global max_connections=10")
			p.sh(p.m, "systemd-run -q --unit clients sh -c 'for i in 1 2 3 4 5 6 7 8; do sleep 900 | mariadb & done; wait'")
		}, func() {
			p.sh(p.m, "systemctl stop clients")
			p.sql(p.m, "set global max_connections=151")
		}},
	)
	slow := func(by time.Duration) {
		for _, v := range data {
			v.SetFault(nbd.Fault{Delay: by})
		}
	}
	p.wave("a database whose disks are too slow for what it is to write",
		ailment{"mysql:checkpoint", "a small redo log fills", "warn", "of redo since the checkpoint", func() {
			p.sql(p.m, "create database story; use story; create table t (n int primary key, t mediumblob); insert into t select seq, repeat('x', 30000) from seq_1_to_100; set global innodb_log_file_size=16777216")
			slow(time.Second)
			p.sh(p.m, `systemd-run -q --unit writes sh -c 'while echo "update story.t set t = repeat(left(md5(rand()), 1), 30000);"; do :; done | mariadb'`)
		}, func() {
			slow(0)
			p.sh(p.m, "systemctl stop writes")
			p.sql(p.m, "set global innodb_log_file_size=100663296; drop database story")
		}})
	p.wave("a database with a long transaction",
		ailment{"mysql:history", "a transaction keeps what others changed", "warn", "transactions wait for the purge", func() {
			p.sql(p.m, "create database story; create table story.h (n int); insert into story.h values (0)")
			p.sh(p.m, `systemd-run -q --unit long sh -c '{ printf "start transaction with consistent snapshot;\nsystem touch /run/long\n"; sleep 900; } | mariadb'
				until [ -e /run/long ]; do sleep 0.2; done
				{ echo 'set global innodb_flush_log_at_trx_commit=0;'; yes 'update story.h set n = n + 1;' | head -n 800; } | mariadb`)
		}, func() { p.sh(p.m, "systemctl stop long"); p.sql(p.m, "drop database story") }})
	p.wave("a database that tells nothing",
		ailment{"mysql:status", "bootswain's account is dropped", "warn", "does not let bootswain read", func() { p.sql(p.m, "drop user bootswain@localhost") }, func() {
			said := p.sh(p.m, "bootswain status | sed -n 's/^ *next: as root in it: //p'")
			p.sql(p.m, said)
		}})
	p.wave("a copy that does not keep to itself",
		ailment{"mysql:isolated", "a server that runs is to be isolated", "fail", "can be written to", func() { p.apply([]byte(document(", isolated: true")), 0) }, p.script("systemctl restart mariadb")})
	p.apply([]byte(document("")), 0) // the next wave restarts the server
	lost := data[1].ID + " lost"
	reattach := func() { must(p, p.m.Attach(p.ctx, data[1])) }
	p.wave("a volume that is pulled",
		ailment{"volume:data", "an NVMe device is pulled", "fail", lost, func() { must(p, p.m.Pull(p.ctx, data[1])) }, reattach},
		ailment{"md:data", "its array is broken", "fail", lost, func() {}, func() {}},
		ailment{"luks:data", "its encryption has nothing beneath", "fail", lost, func() {}, func() {}},
		ailment{"mount:data", "its mount is dead", "fail", lost, func() {}, func() {}},
		ailment{"mysql", "its database is stopped", "fail", "", func() {}, func() {}})
}

// guarded has the machine show a certificate to who asks, and ask for one.
func (p *patient) guarded(document func(string) string) {
	put := func(name string, content []byte) {
		must(p, p.m.WriteFile(p.ctx, "/etc/bootswain/"+name, content, 0o600))
	}
	cert, key := p.certificate(400)
	_, another := p.certificate(400)
	put("web.crt", cert)
	put("web.key", key)
	put("web.yml", []byte("tls_server_config: {cert_file: web.crt, key_file: web.key, client_ca_file: web.crt, client_auth_type: RequireAndVerifyClientCert}\n"))
	p.apply([]byte(strings.Replace(document(""), "health:\n", "health:\n  web_config: /etc/bootswain/web.yml\n", 1)), 0)
	pair, err := tls.X509KeyPair(cert, key)
	must(p, err)
	known := x509.NewCertPool()
	known.AppendCertsFromPEM(cert)
	stranger := &tls.Config{RootCAs: known, ServerName: certified, MinVersion: tls.VersionTLS13}
	p.monitor = stranger.Clone()
	p.monitor.Certificates = []tls.Certificate{pair}
	p.wave("a listener whose certificate is half replaced", ailment{"listener", "the key is another's", "warn", "Answers go on as it was before",
		func() { put("web.key", another) }, func() { put("web.key", key) }})
	c, err := tls.Dial("tcp", p.m.Addr(lab.HealthPort), stranger)
	must(p, err)
	defer c.Close()
	if _, err := c.Read(make([]byte, 1)); err == nil || !strings.Contains(err.Error(), "certificate required") {
		p.Errorf("a monitor without a certificate: %v, want it refused", err)
	}
}

// month is the life of the machine for which time passes quickly.
func (p *patient) month() {
	v := p.volumes(1, 128<<20)[0]
	const certificate = "/etc/ssl/app.pem"
	stanza := fmt.Sprintf("  aged:\n    ebs: {ids: [%s]}\n    create: if_blank\n    encryption: none\n    filesystem: {type: ext4}\n    mount: /srv/aged\n", v.ID)
	// With lower limits fewer instructions have to be carried out; what is measured
	// and judged is the same.
	const asked = `0.0.0.0:8273, certificates: [` + certificate + `], limits: {load: {warn: 1}, "pressure:cpu": {warn: 50}, "pressure:io": {warn: 10}}}`
	document := strings.Replace(string(p.document(stanza, "")), "0.0.0.0:8273}", asked, 1)
	p.m = p.start(lab.MachineOptions{
		CountedTime: true, Append: noDatabase, Role: "db-prod", Volumes: []*lab.Volume{v}, UserData: []byte(document), PublicKeys: []string{p.owner.line},
	})
	must(p, p.m.Ready(p.ctx))
	renewed := func(days int) func() {
		return func() {
			cert, _ := p.certificate(days)
			must(p, p.m.WriteFile(p.ctx, certificate, cert, 0o644))
		}
	}
	renewed(400)()
	must(p, p.m.WriteFile(p.ctx, "/root/spin", spinner(), 0o700))
	p.waitSentence(p.m, "READY aged: ")
	p.sh(p.m, "systemd-run -q --unit grow sh -c 'while head -c 300K /dev/zero >>/srv/aged/log; do sleep 60; done'")

	work := p.script("for i in $(seq 6); do systemd-run -q -p Nice=19 --slice=spin.slice --unit spin$i /root/spin; done")
	p.wave("too much work",
		ailment{"processor", "programs work without end", "warn", "busy over 5m", work, p.script("systemctl stop spin.slice")},
		ailment{"load", "many of them", "warn", "tasks for each of 1 processors", func() {}, func() {}},
		ailment{"pressure:cpu", "so that others wait", "warn", "some task waited for it", func() {}, func() {}})
	ends := func(yes bool) func() {
		return func() {
			known := p.lab.EC2.Volume(v.ID)
			known.Attachments[0].Ends = yes
			p.lab.EC2.AddVolume(known)
		}
	}
	p.wave("what is looked at rarely",
		ailment{"certificate:" + certificate, "a certificate has expired", "fail", "ended on", renewed(-1), renewed(400)},
		ailment{"termination", "EC2 is to delete a volume with the instance", "warn", v.ID, ends(true), ends(false)},
		ailment{"clock", "the clock jumps", "warn", "jumped by 3h", p.script("date -s '+3 hours'"), p.script(synchronize)})
	p.wave("waiting",
		ailment{"pressure:io", "all wait for a disk", "warn", "all tasks waited for it", func() {
			v.SetFault(nbd.Fault{Hang: true})
			p.sh(p.m, "systemd-run -q --unit reader dd if="+device(v)+" of=/dev/null iflag=direct bs=4k count=1")
		}, func() { v.SetFault(nbd.Fault{}) }},
		ailment{"disk:" + v.ID, "it does not answer", "fail", "ended none for", func() {}, func() {}})
	p.wave("memory that is not there",
		ailment{"pressure:memory", "a program gets less memory than it asks for", "warn", "all tasks waited for it", p.script("systemd-run -q --unit hog -p MemoryHigh=16M perl -e 'my $n = 400 << 20; my $x = \"x\" x $n; sleep'"), p.script("systemctl kill -s KILL hog")})
	p.wave("a long time",
		ailment{"full-in:/srv/aged", "a log grows", "warn", "full in about", nil, p.script("systemctl stop grow; rm /srv/aged/log")})
}

// synchronize tells the kernel what a time daemon tells it: how wrong the clock is
// at most, in microseconds, and that it follows a source, adjtimex(2).
const synchronize = `perl -e 'my $t = pack("L x4 q4 l x4", 0x1c, 0, 0, 1000, 1000, 0) . "\0" x 160; syscall(159, $t) >= 0 or die $!'`

// device is a volume's device, as the shell finds it.
func device(v *lab.Volume) string {
	return "$(lsblk -dnpo NAME,SERIAL | awk '/" + strings.Replace(v.ID, "-", "", 1) + "/ {print $1}')"
}

// certified is whom certificate is for.
const certified = "app.internal"

// certificate is one that ends in so many days of the guest's time, and its key.
func (p *patient) certificate(days int) (cert, key []byte) {
	p.Helper()
	seconds, err := strconv.ParseInt(p.sh(p.m, "date +%s"), 10, 64)
	must(p, err)
	pair, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(p, err)
	end := time.Unix(seconds, 0).Add(time.Duration(days) * 24 * time.Hour)
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: certified}, DNSNames: []string{certified}, NotBefore: end.Add(-500 * 24 * time.Hour), NotAfter: end}
	der, err := x509.CreateCertificate(rand.Reader, c, c, pair.Public(), pair)
	must(p, err)
	private, err := x509.MarshalPKCS8PrivateKey(pair)
	must(p, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
}

// spinner is a program that does nothing for ever, in as many instructions as an
// emulator takes at a time: where time is counted in instructions, it passes a
// hundred times as quickly as with most others.
func spinner() []byte {
	const instructions, base = 4000, 0x400000
	le := binary.LittleEndian
	code := append(bytes.Repeat([]byte{0x90}, instructions), 0xe9) // nop; jmp
	code = le.AppendUint32(code, uint32(-(instructions+5)&0xffffffff))
	head := append([]byte("\x7fELF\x02\x01\x01"), make([]byte, 9)...)
	head = append(head, 2, 0, 62, 0, 1, 0, 0, 0) // executable, x86-64
	for _, n := range []uint64{base + 120, 64, 0} {
		head = le.AppendUint64(head, n)
	}
	head = append(head, 0, 0, 0, 0, 64, 0, 56, 0, 1, 0, 0, 0, 0, 0, 0, 0) // one program header
	head = append(head, 1, 0, 0, 0, 5, 0, 0, 0)                           // to be loaded and run
	size := uint64(120 + len(code))
	for _, n := range []uint64{0, base, base, size, size, 4096} {
		head = le.AppendUint64(head, n)
	}
	return append(head, code...)
}
