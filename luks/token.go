package luks

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// TokenType is the type of our token in a LUKS2 header.
const TokenType = "bootswain"

// TokenVersion is the version that this package writes. A field that older
// readers may ignore does not raise it; a change of meaning does.
const TokenVersion = 1

// maxToken bounds a token's text: the header's JSON area is 12 KiB in all.
const maxToken = 8 << 10

// Intent is how far a volume has come.
type Intent string

// Preparing is a volume that never was mounted and may be made anew; Ready is
// one that holds data and is never made anew. Scratch is one whose key nobody
// keeps: once it is closed there is nothing in it for anybody.
const (
	Preparing Intent = "preparing"
	Ready     Intent = "ready"
	Scratch   Intent = "scratch"
)

// Token is how a volume explains itself to a machine without its launch data:
// which set it is, of which EBS volumes, where its own key is to be had, and what
// its file system is for.
type Token struct {
	Set     string   // the volume's name
	Members int      // how many devices carry it
	Volumes []string // their EBS volume ids when it was made, in the set's order
	Intent  Intent
	Sealed  []byte // age ciphertext of the key; or what else says where it is, a JSON object with sorted keys
	Keyslot int    // that the key opens
	Purpose Purpose

	Recovery *Recovery // nil: it has no recovery key
	Spare    []int     // keyslots of ours on which nothing depends: being filled, or to be emptied
}

// Recovery is a second key, which only the holder of an offline identity can
// unseal.
type Recovery struct {
	Keyslot int    // that it opens
	To      string // the age recipient, as far as people need to know it again
	Sealed  []byte // age ciphertext of the key
}

// Purpose is what the launch data said about the file system.
type Purpose struct {
	Mount   string
	Type    string // of the file system
	Options []string
	MySQL   bool // a database's directory lives on it
}

// NewerError is a token written by a newer bootswain than this one.
type NewerError struct{ Version int }

func (e *NewerError) Error() string {
	return fmt.Sprintf("its token has version %d and this bootswain knows up to %d", e.Version, TokenVersion)
}

// tokenJSON is the token as it stands in the header. Keyslots is LUKS2's own;
// ours belongs to none, so that cryptsetup never takes it for a way to unlock.
type tokenJSON struct {
	Type     string          `json:"type"`
	Keyslots []string        `json:"keyslots"`
	Version  int             `json:"version"`
	Set      string          `json:"set"`
	Members  int             `json:"members"`
	Volumes  []string        `json:"volumes"`
	Intent   Intent          `json:"intent"`
	Sealed   []byte          `json:"sealed"`           // base64; empty where there is a source
	Source   json.RawMessage `json:"source,omitempty"` // legible, for people
	Keyslot  int             `json:"keyslot,omitempty"`
	Volume   tokenPurpose    `json:"volume"`

	Recovery *tokenRecovery `json:"recovery,omitempty"`
	Spare    []int          `json:"spare,omitempty"`
}

type tokenRecovery struct {
	Keyslot int    `json:"keyslot"`
	To      string `json:"to"`
	Sealed  []byte `json:"sealed"`
}

type tokenPurpose struct {
	Mount      string          `json:"mount"`
	Filesystem tokenFilesystem `json:"filesystem"`
	MySQL      bool            `json:"mysql,omitempty"`
}

type tokenFilesystem struct {
	Type    string   `json:"type"`
	Options []string `json:"options,omitempty"`
}

func (t Token) encode() ([]byte, error) {
	j := tokenJSON{
		Type: TokenType, Keyslots: []string{}, Version: TokenVersion,
		Set: t.Set, Members: t.Members, Volumes: t.Volumes, Intent: t.Intent, Sealed: t.Sealed, Keyslot: t.Keyslot,
		Volume:   tokenPurpose{t.Purpose.Mount, tokenFilesystem{t.Purpose.Type, t.Purpose.Options}, t.Purpose.MySQL},
		Recovery: (*tokenRecovery)(t.Recovery), Spare: t.Spare,
	}
	if bytes.HasPrefix(t.Sealed, []byte("{")) {
		j.Sealed, j.Source = nil, t.Sealed
	}
	b, err := json.Marshal(j)
	if err != nil {
		return nil, fmt.Errorf("cannot write a token: %w", err)
	}
	if err := t.check(); err != nil {
		return nil, fmt.Errorf("cannot write a token: %w", err)
	}
	if len(b) > maxToken {
		return nil, fmt.Errorf("cannot write a token of %d bytes: the header has room for %d", len(b), maxToken)
	}
	return b, nil
}

func decodeToken(b []byte) (*Token, error) {
	var version struct{ Version int }
	if err := json.Unmarshal(b, &version); err != nil {
		return nil, fmt.Errorf("its token is damaged: %w", err)
	}
	if version.Version > TokenVersion {
		return nil, &NewerError{version.Version}
	}
	var j tokenJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return nil, fmt.Errorf("its token is damaged: %w", err)
	}
	t := &Token{
		Set: j.Set, Members: j.Members, Volumes: j.Volumes, Intent: j.Intent, Sealed: j.Sealed, Keyslot: j.Keyslot,
		Purpose:  Purpose{j.Volume.Mount, j.Volume.Filesystem.Type, j.Volume.Filesystem.Options, j.Volume.MySQL},
		Recovery: (*Recovery)(j.Recovery), Spare: j.Spare,
	}
	if j.Version != TokenVersion {
		return nil, fmt.Errorf("its token is damaged: version %d", j.Version)
	}
	if j.Source != nil {
		var err error
		if t.Sealed, err = sorted(j.Source); err != nil {
			return nil, fmt.Errorf("its token is damaged: %w", err)
		}
		if len(j.Sealed) > 0 {
			return nil, fmt.Errorf("its token is damaged: it says two things of its key")
		}
	}
	if err := t.check(); err != nil {
		return nil, fmt.Errorf("its token is damaged: %w", err)
	}
	return t, nil
}

// sorted brings a JSON object into the form that it had when it was written:
// cryptsetup keeps what it says, and neither its spaces nor its escapes.
func sorted(object json.RawMessage) ([]byte, error) {
	var any map[string]any
	if err := json.Unmarshal(object, &any); err != nil || any == nil {
		return nil, fmt.Errorf("its source is no object")
	}
	return json.Marshal(any)
}

// check refuses tokens whose meaning would have to be guessed.
func (t Token) check() error {
	switch {
	case t.Set == "":
		return fmt.Errorf("it names no set")
	case t.Members < 1 || t.Members != len(t.Volumes):
		return fmt.Errorf("%d members and %d volume ids", t.Members, len(t.Volumes))
	case t.Intent != Preparing && t.Intent != Ready && t.Intent != Scratch:
		return fmt.Errorf("intent %q is neither preparing, ready nor scratch", t.Intent)
	case slices.Contains(t.Spare, t.Keyslot) || t.Recovery != nil && (t.Recovery.Keyslot == t.Keyslot || slices.Contains(t.Spare, t.Recovery.Keyslot)):
		return fmt.Errorf("it says two things of one keyslot")
	}
	return nil
}

func (t Token) equal(o Token) bool {
	return t.Keyslot == o.Keyslot && slices.Equal(t.Spare, o.Spare) && t.Recovery.equal(o.Recovery) && t.Set == o.Set && t.Members == o.Members && slices.Equal(t.Volumes, o.Volumes) && t.Intent == o.Intent &&
		bytes.Equal(t.Sealed, o.Sealed) && t.Purpose.Mount == o.Purpose.Mount && t.Purpose.Type == o.Purpose.Type &&
		slices.Equal(t.Purpose.Options, o.Purpose.Options) && t.Purpose.MySQL == o.Purpose.MySQL
}

func (r *Recovery) equal(o *Recovery) bool {
	if r == nil || o == nil {
		return r == o
	}
	return r.Keyslot == o.Keyslot && r.To == o.To && bytes.Equal(r.Sealed, o.Sealed)
}

// tokenIn returns our token among a header's, or nil. Two of ours, which we
// never write, are a damage: nobody knows which one holds.
func tokenIn(tokens map[string]json.RawMessage) (*Token, error) {
	var found *Token
	for _, raw := range tokens {
		var kind struct{ Type string }
		if err := json.Unmarshal(raw, &kind); err != nil || kind.Type != TokenType {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("it has two tokens of ours")
		}
		t, err := decodeToken(raw)
		if err != nil {
			return nil, err
		}
		found = t
	}
	return found, nil
}
