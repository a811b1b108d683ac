package volume

import (
	"bytes"
	"reflect"
	"testing"
)

func TestClaim(t *testing.T) {
	c := claim{Set: "data", UUID: uuid(kindSet, "data", volumeIDs(2)), Released: "3f9c2d3f9c2d"}
	b := c.encode()
	if got := decodeClaim(b); !reflect.DeepEqual(got, &c) {
		t.Errorf("read back %+v", got)
	}
	const sector = 512
	for at := range sector {
		changed := bytes.Clone(b)
		changed[at] ^= 1
		if decodeClaim(changed) != nil {
			t.Fatalf("a claim with byte %d changed is taken for one", at)
		}
	}
	for at := sector; at < claimSize; at += sector { // a power cut tears it there
		torn := make([]byte, claimSize)
		copy(torn, b[:at])
		if !reflect.DeepEqual(decodeClaim(torn), &c) {
			t.Errorf("a claim whose first %d bytes were written is none", at)
		}
	}
	for name, b := range map[string][]byte{"blank": make([]byte, claimSize), "short": b[:100], "none": nil} {
		if decodeClaim(b) != nil {
			t.Errorf("%s is taken for a claim", name)
		}
	}
	s := seen(2)
	for name, c := range map[string]*claim{
		"none": nil, "of another set": {Set: "logs", UUID: c.UUID}, "of other devices": {Set: "data", UUID: uuid(kindSet, "data", volumeIDs(1))},
	} {
		if s.claims(c) {
			t.Errorf("a claim %s is taken for this set's", name)
		}
	}
	if !s.claims(&c) {
		t.Error("this set's claim is not taken for its own")
	}
}

func TestClaimAt(t *testing.T) {
	for size, want := range map[int64]int64{1 << 30: 1<<30 - 4096, 1<<30 + 512: 1<<30 - 4096, 4096: 0, 100: -4096} {
		if got := claimAt(size); got != want {
			t.Errorf("on %d bytes at %d, want %d", size, got, want)
		}
	}
}

func FuzzClaim(f *testing.F) {
	f.Add(claim{Set: "data"}.encode())
	f.Add(make([]byte, claimSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		if c := decodeClaim(b); c != nil && !bytes.HasPrefix(b, claimMagic) {
			t.Fatal("a claim without its mark")
		} else if c != nil {
			if again := decodeClaim(c.encode()); again == nil && len(c.Set)+len(c.UUID)+len(c.Released) <= 64 {
				t.Fatalf("%+v cannot be read back", c)
			}
		}
	})
}
