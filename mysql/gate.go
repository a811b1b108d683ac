package mysql

import (
	"fmt"
	"slices"

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

	Elsewhere []PartView // what is on other volumes
}

// PartView is what the daemon last said about the volume of a part of the
// server's files.
type PartView struct {
	Part     Part
	Volume   string
	State    *situation.Situation // nil: no word yet
	Original bool                 // the volume is no copy, and that of the data is
}

// Up says whether all volumes are, by what the daemon said.
func (v View) Up() bool {
	return usable(v.State) && !slices.ContainsFunc(v.Elsewhere, func(e PartView) bool { return !usable(e.State) })
}

// NoCopy keeps a copy of the data from writing to what is the original's.
func (e PartView) NoCopy(server string) error {
	return &situation.Situation{
		Word: situation.Held, Subject: server,
		Text: fmt.Sprintf("is to be isolated, and volume %s, where its %s %s, is no copy, as that of its data is; untouched.", e.Volume, e.Part, e.Part.is()),
		Next: "restore it from the same set of snapshots as the data",
	}
}

// usable says whether a volume is up by what is said of it.
func usable(s *situation.Situation) bool {
	return s != nil && (s.Word == situation.Ready || s.Word == situation.Degraded)
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
	case v.State.Subject != server && !usable(v.State):
		return held(v.State.Error(), v.State.Next)
	}
	for _, e := range v.Elsewhere {
		switch {
		case e.State == nil:
			return held("volume "+e.Volume+" is not ready yet", "nothing, starts by itself; if it stays so: journalctl -u bootswain")
		case !usable(e.State):
			return held(e.State.Error(), e.State.Next)
		case v.Isolated && e.Original && e.Part.belongs():
			return e.NoCopy(server)
		}
	}
	switch {
	case v.State.Subject == server:
		// The volume is up, and what is on it is not for this server.
		return held(v.State.Text, v.State.Next)
	case situation.Of(live) != nil:
		return live
	case live != nil:
		return held(live.Error(), "bootswain status")
	}
	return nil
}
