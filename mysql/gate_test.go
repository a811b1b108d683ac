package mysql

import (
	"errors"
	"testing"

	"bootswain/internal/situation"
)

func TestGate(t *testing.T) {
	say := func(w situation.Word, subject, text, next string) *situation.Situation {
		return &situation.Situation{Word: w, Subject: subject, Text: text, Next: next}
	}
	ready := say(situation.Ready, "data", "mounted on /srv/data", "")
	failed := say(situation.Failed, "logs", "vol-0a44 lost", "reattach vol-0a44")
	apart := Elsewhere{RedoLog, "logs", "/srv/logs"}.Apart("mariadb")
	lost := errors.New("vol-0a33 lost 03:12:07")
	for _, tt := range []struct {
		name string
		view View
		live error
		want string // "" lets the server start
	}{
		{"nothing known", View{}, nil,
			"HELD mariadb: launch data not read yet; it may name a volume for the databases\n  next: nothing, starts by itself; if it stays so: journalctl -u bootswain"},
		{"bootswain is off", View{Off: true, Known: true}, nil,
			"HELD mariadb: bootswain=off is on the kernel command line; where the databases are was not looked up\n  next: reboot without bootswain=off"},
		{"launch data cannot be read", View{Trouble: say(situation.Waiting, "launch data", "IMDS does not answer", "nothing, retried")}, nil,
			"HELD mariadb: where its databases belong is not known; WAITING launch data: IMDS does not answer\n  next: nothing, retried"},
		{"nobody asked", View{Known: true}, nil, ""},
		{"nobody asked, whatever is mounted", View{Known: true}, lost, ""},
		{"no word of the volume", View{Known: true, Volume: "data"}, nil,
			"HELD mariadb: volume data is not ready yet\n  next: nothing, starts by itself; if it stays so: journalctl -u bootswain"},
		{"a volume that waits", View{Known: true, Volume: "data", State: say(situation.Waiting, "data", "3 of 4 volumes", "nothing")}, nil,
			"HELD mariadb: WAITING data: 3 of 4 volumes\n  next: nothing"},
		{"a volume taken down", View{Known: true, Volume: "data", State: say(situation.Down, "data", "by ops", "bootswain up data")}, nil,
			"HELD mariadb: DOWN data: by ops\n  next: bootswain up data"},
		{"a volume being made", View{Known: true, Volume: "data", State: say(situation.Working, "data", "mkfs.xfs", "nothing")}, nil,
			"HELD mariadb: WORKING data: mkfs.xfs\n  next: nothing"},
		{"refused", View{Known: true, Volume: "data", State: say(situation.Refused, "data", "holds ext4", "discard it")}, nil,
			"HELD mariadb: REFUSED data: holds ext4\n  next: discard it"},
		{"what is on it is not for this server", View{Known: true, Volume: "data", State: say(situation.Held, "mariadb", "data written by 11.8.3", "launch the 11.8 image")}, nil,
			"HELD mariadb: data written by 11.8.3\n  next: launch the 11.8 image"},
		{"what is on it is not a server's", View{Known: true, Volume: "data", State: say(situation.Refused, "mariadb", "/srv/data/mysql holds no system tables", "move it away")}, nil,
			"HELD mariadb: /srv/data/mysql holds no system tables\n  next: move it away"},
		{"another server has it open", View{Known: true, Volume: "data", State: ready}, say(situation.Held, "mariadb", "in use", "end it"),
			"HELD mariadb: in use\n  next: end it"},
		{"the daemon says ready, the machine does not", View{Known: true, Volume: "data", State: ready}, lost,
			"HELD mariadb: vol-0a33 lost 03:12:07\n  next: bootswain status"},
		{"ready", View{Known: true, Volume: "data", State: ready}, nil, ""},
		{"slow but there", View{Known: true, Volume: "data", State: say(situation.Degraded, "data", "slow", "")}, nil, ""},
		{"no word of another volume", View{Known: true, Volume: "data", State: ready, Elsewhere: []PartView{{RedoLog, "logs", nil, false}}}, nil,
			"HELD mariadb: volume logs is not ready yet\n  next: nothing, starts by itself; if it stays so: journalctl -u bootswain"},
		{"another volume is lost", View{Known: true, Volume: "data", State: ready, Elsewhere: []PartView{{TmpDir, "logs", failed, false}}}, nil,
			"HELD mariadb: FAILED logs: vol-0a44 lost\n  next: reattach vol-0a44"},
		{"another volume is lost, and so its directories cannot be put together", View{Known: true, Volume: "data", State: situation.Of(apart), Elsewhere: []PartView{{RedoLog, "logs", failed, false}}}, nil,
			"HELD mariadb: FAILED logs: vol-0a44 lost\n  next: reattach vol-0a44"},
		{"both are lost", View{Known: true, Volume: "data", State: say(situation.Waiting, "data", "3 of 4 volumes", "nothing"), Elsewhere: []PartView{{RedoLog, "logs", failed, false}}}, nil,
			"HELD mariadb: WAITING data: 3 of 4 volumes\n  next: nothing"},
		{"another volume is up, and its directory is not brought there yet", View{Known: true, Volume: "data", State: situation.Of(apart), Elsewhere: []PartView{{RedoLog, "logs", ready, false}}}, nil,
			"HELD mariadb: volume logs, where its redo log is, is not mounted.\n  next: see to volume logs: bootswain status; then nothing, goes on by itself"},
		{"all ready", View{Known: true, Volume: "data", State: ready, Elsewhere: []PartView{{RedoLog, "logs", ready, true}}}, nil, ""},
		{"a copy that would write to the original's", View{Known: true, Volume: "data", State: ready, Isolated: true, Elsewhere: []PartView{{BinaryLogs, "logs", ready, true}}}, nil,
			"HELD mariadb: is to be isolated, and volume logs, where its binary logs are, is no copy, as that of its data is; untouched.\n  next: restore it from the same set of snapshots as the data"},
		{"a copy beside a copy", View{Known: true, Volume: "data", State: ready, Isolated: true, Elsewhere: []PartView{{BinaryLogs, "logs", ready, false}, {TmpDir, "tmp", ready, true}}}, nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := Gate("mariadb", tt.view, tt.live)
			if tt.want == "" {
				wantError(t, err, "")
				return
			}
			s := situation.Of(err)
			if s == nil || s.String() != tt.want {
				t.Errorf("got  %v\nwant %s", s, tt.want)
			}
		})
	}
}
