package e2e

import (
	"strings"
	"testing"

	"bootswain/lab"
)

// TestImdsd is a machine whose systemd has its own way to the metadata service
// and has locked every other; then the same machine with all ways open.
func TestImdsd(t *testing.T) {
	b := open(t)
	sid, err := bakedSid()
	must(b, err)
	b.lab.Tag(b.volumes(1, 320<<20)[0], map[string]string{"set": "orders"})
	const locked = " systemd.imds.network=locked"
	stanza := strings.Replace(b.stanzaFor(sid.Recipient, "data", "/srv/data"), "{ids: []}", "{tags: {set: orders}, count: 1}", 1)
	m := b.start(lab.MachineOptions{
		Image: sid, Append: noMySQL + locked, Role: "db-prod", PublicKeys: []string{b.owner.line},
		UserData: b.document(stanza, ""), // EC2 is asked with credentials that come the same way
	})
	b.ready(m)
	if direct := b.sh(m, "curl -sS -m 10 http://169.254.169.254/latest/api/token -X PUT 2>&1 || true"); !strings.Contains(direct, "Permission denied") && !strings.Contains(direct, "ailed to connect") {
		b.Errorf("the metadata service answers who asks it directly: %s\n%s", direct, b.sh(m, "cat /run/systemd/network/*imds*; ip rule; ip route show table all"))
	}
	b.mayLogIn(m, b.ops, b.owner)
	b.sh(m, "echo kept > /srv/data/file")
	b.step("through systemd-imdsd, locked")

	must(b, m.Shutdown(b.ctx))
	m.SetAppend(noMySQL)
	must(b, m.PowerOn(b.ctx))
	b.ready(m)
	b.sh(m, "curl -sS -f -m 10 http://169.254.169.254/latest/api/token -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' && test -S /run/systemd/io.systemd.InstanceMetadata && grep kept /srv/data/file")
	b.mayLogIn(m, b.ops, b.owner)
	b.step("through systemd-imdsd, open")
}
