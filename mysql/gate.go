package mysql

import (
	"bootswain/internal/situation"
)

// View is what the daemon last said about the database and its volume.
type View struct {
	Off      bool                 // bootswain=off is on the kernel command line
	Known    bool                 // the launch data was read, or is known not to exist
	Trouble  *situation.Situation // why it is not Known; nil: no word from the daemon yet
	Volume   string               // the volume that the database belongs on; "" means that nobody asked for one
	Upgrade  bool                 // data of an earlier series may be opened
	Isolated bool                 // the server must not act as the one whose data these are a copy of
	State    *situation.Situation // how that volume stands; nil: no word yet
}

// Gate decides whether the server may start: nil, or a HELD situation. live is
// what Live found; it counts only if the View names a volume.
//
// The server starts freely only where it is known that nobody asked for a
// volume. In all doubt it is held, because a server that starts on the empty
// directory of the root disk makes a second, empty database.
func Gate(server string, v View, live error) error {
	held := func(text, next string) error {
		return &situation.Situation{Word: situation.Held, Subject: server, Text: text, Next: next}
	}
	switch {
	case v.Off:
		return held("bootswain=off is on the kernel command line; where the databases are was not looked up",
			"reboot without bootswain=off")
	case !v.Known && v.Trouble == nil:
		return held("launch data not read yet; it may name a volume for the databases",
			"nothing, starts by itself; if it stays so: journalctl -u bootswain")
	case !v.Known:
		return held("where its databases belong is not known; "+v.Trouble.Error(), v.Trouble.Next)
	case v.Volume == "":
		return nil
	case v.State == nil:
		return held("volume "+v.Volume+" is not ready yet", "nothing, starts by itself; if it stays so: journalctl -u bootswain")
	case v.State.Subject == server:
		// The volume is up, and what is on it is not for this server.
		return held(v.State.Text, v.State.Next)
	case v.State.Word != situation.Ready && v.State.Word != situation.Degraded:
		return held(v.State.Error(), v.State.Next)
	case situation.Of(live) != nil:
		return live
	case live != nil:
		return held(live.Error(), "bootswain status")
	}
	return nil
}
