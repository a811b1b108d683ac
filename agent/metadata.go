package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"time"

	"bootswain/internal/run"
	"bootswain/internal/situation"
	"bootswain/launch"
)

const (
	// restrictFile says that the metadata service was restricted since boot, and
	// to which user ids.
	restrictFile = runDir + "/imds"
	// restrictEvery is how often that is tried: reloading a firewall may forget it.
	restrictEvery = time.Minute
	// imdsdUser is as whom systemd's own client asks, on whose word bootswain and
	// others rely where it runs (systemd-imdsd@.service).
	imdsdUser = "systemd-imds"
)

// restrictAsAsked hands on who may reach the metadata service. Launch data that
// is faulty, and says nothing of it that is sound, changes nothing.
func (d *daemon) restrictAsAsked() {
	names := d.orders.spec.IMDS.Restrict
	if d.orders.trouble != nil && len(names) == 0 {
		return
	}
	select {
	case <-d.restricted: // it was not taken up yet
	default:
	}
	d.restricted <- names
}

// restrictMetadata keeps everybody but the users that it is told of from the
// metadata service. An empty list takes that back.
func (d *daemon) restrictMetadata(ctx context.Context, asked <-chan []string, tell func(*situation.Situation)) {
	var names []string
	tick := time.NewTicker(restrictEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case names = <-asked:
		case <-tick.C:
		}
		switch {
		case len(names) > 0:
			tell(d.restrict(ctx, names))
		case !modified(restrictFile).IsZero():
			err := launch.Unrestrict(ctx, d.run)
			if err == nil {
				err = os.Remove(restrictFile)
			}
			tell(unrestricted(err))
		}
	}
}

func unrestricted(err error) *situation.Situation {
	if err == nil {
		return nil
	}
	return &situation.Situation{Word: situation.Failed, Subject: "imds", Cause: err,
		Text: fmt.Sprintf("the restriction cannot be taken back: %v.", err), Next: "nft delete table inet bootswain; tried again every minute"}
}

// restrict makes the rule if it is not there or is another's, and says what
// came of it by trying.
func (d *daemon) restrict(ctx context.Context, names []string) *situation.Situation {
	uids, absent := userIDs(names)
	want := strings.Trim(fmt.Sprint(uids), "[]") + "\n"
	have, err := os.ReadFile(restrictFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return unrestrictable(err)
	}
	if string(have) != want || !allRefused(launch.TryMetadata(stranger(uids))) {
		err := os.WriteFile(restrictFile, []byte(want), 0o644)
		if err == nil {
			err = launch.Restrict(ctx, d.run, uids)
		}
		if err != nil {
			return unrestrictable(err)
		}
	}
	return restricted(names, absent, launch.TryMetadata(stranger(uids)), launch.TryMetadata(0))
}

func unrestrictable(err error) *situation.Situation {
	next := "tried again every minute"
	if _, missing := errors.AsType[*run.MissingError](err); missing {
		next = "install nftables in the image"
	}
	return &situation.Situation{Word: situation.Failed, Subject: "imds", Cause: err,
		Text: fmt.Sprintf("cannot be restricted: %v. Every user can get the credentials of the instance's role.", err), Next: next}
}

// restricted judges by what came of trying as a user who is not named, and as
// root.
func restricted(names, absent []string, stranger, root []launch.Try) *situation.Situation {
	s := &situation.Situation{Word: situation.Ready, Subject: "imds", Text: "only " + strings.Join(names, ", ") + " reach it; another user's connection was refused."}
	for _, t := range stranger {
		if t.Err == nil {
			s.Word, s.Text, s.Next = situation.Failed, "restricted, and yet another user reached "+t.Address+".", "nft list table inet bootswain; tried again every minute"
			return s
		}
	}
	switch {
	case !allRefused(stranger):
		s.Word, s.Text, s.Next = situation.Waiting, "restricted, but another user's connection was neither refused nor answered.", "nothing while the network comes up; tried again every minute"
	case !slices.ContainsFunc(root, func(t launch.Try) bool { return t.Err == nil }):
		s.Word, s.Text, s.Next = situation.Waiting, "restricted; that cannot be shown while not even root reaches it.", "nothing if the metadata service is late; tried again every minute"
	case len(absent) > 0:
		s.Word, s.Text, s.Next = situation.Degraded, "restricted; no such user here: "+strings.Join(absent, ", ")+".", "correct imds.restrict, or make the user; tried again every minute"
	}
	return s
}

func allRefused(tries []launch.Try) bool {
	return !slices.ContainsFunc(tries, func(t launch.Try) bool { return !t.Refused() })
}

// userIDs returns the ids of the users who are here, sorted, and the names of
// who is not.
func userIDs(names []string) (uids []int, absent []string) {
	for _, name := range append(slices.Clone(names), imdsdUser) {
		u, err := user.Lookup(name)
		if err != nil {
			if name != imdsdUser {
				absent = append(absent, name)
			}
			continue
		}
		if uid, err := strconv.Atoi(u.Uid); err == nil {
			uids = append(uids, uid)
		}
	}
	slices.Sort(uids)
	return slices.Compact(uids), absent
}

// stranger returns the id of a user who is not among them.
func stranger(uids []int) int {
	uid := 65534 // nobody
	for slices.Contains(uids, uid) {
		uid--
	}
	return uid
}
