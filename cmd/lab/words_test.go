package main

import (
	"testing"
	"time"

	"bootswain/lab/imds"
	"bootswain/lab/nbd"
)

func TestSize(t *testing.T) {
	for s, want := range map[string]int64{"512KiB": 512 << 10, "10GiB": 10 << 30, "1TiB": 1 << 40} {
		n, err := parseSize(s)
		if err != nil || n != want || formatSize(n) != s {
			t.Errorf("%s: %d (%s), %v", s, n, formatSize(n), err)
		}
	}
	for _, s := range []string{"", "10", "10GB", "-1GiB", "0GiB", "1.5GiB", "99999999TiB"} {
		if _, err := parseSize(s); err == nil || err.Error() != `"`+s+`" is no size; write it like 512MiB or 10GiB` {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func TestVolumeFaults(t *testing.T) {
	for _, tc := range []struct {
		words []string
		want  nbd.Fault
		err   string
	}{
		{[]string{"eio"}, nbd.Fault{ReadError: true, WriteError: true}, ""},
		{[]string{"read-eio", "delay=2s"}, nbd.Fault{ReadError: true, Delay: 2 * time.Second}, ""},
		{[]string{"hang", "none"}, nbd.Fault{}, ""},
		{[]string{"delay=x"}, nbd.Fault{}, `"x" is no delay; write it like delay=200ms`},
		{[]string{"fire"}, nbd.Fault{}, `"fire" is no fault of a volume; see: lab fault --help`},
	} {
		var f nbd.Fault
		var err error
		for _, word := range tc.words {
			err = addFault(&f, word)
		}
		check(t, tc.words, f == tc.want, err, tc.err)
	}
}

func TestIMDSFaults(t *testing.T) {
	for _, tc := range []struct {
		words []string
		want  imds.Fault
		err   string
	}{
		{[]string{"status=503", "delay=1s"}, imds.Fault{Status: 503, Delay: time.Second}, ""},
		{[]string{"silent"}, imds.Fault{Silent: true}, ""},
		{[]string{"status=9"}, imds.Fault{Status: 9}, `"9" is no HTTP status code`},
		{[]string{"gone"}, imds.Fault{}, `"gone" is no fault of the metadata service; see: lab imds --help`},
	} {
		var f imds.Fault
		var err error
		for _, word := range tc.words {
			err = addIMDSFault(&f, word)
		}
		check(t, tc.words, f == tc.want, err, tc.err)
	}
}

func check(t *testing.T, words []string, same bool, err error, want string) {
	t.Helper()
	got := ""
	if err != nil {
		got = err.Error()
	}
	if !same || got != want {
		t.Errorf("%v: error %q, not %q, or another fault", words, got, want)
	}
}
