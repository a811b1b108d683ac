package lab

import (
	"encoding/json"
	"testing"
	"time"
)

func TestParseJournal(t *testing.T) {
	const lines = `{"__MONOTONIC_TIMESTAMP":"1500000","_BOOT_ID":"b1","_SYSTEMD_UNIT":"bootswain.service","PRIORITY":"6","_PID":"42","MESSAGE":"READY data"}
{"__MONOTONIC_TIMESTAMP":"2000000","_SYSTEMD_UNIT":"init.scope","UNIT":"mariadb.service","MESSAGE":[104,105,200]}
{"__MONOTONIC_TIMESTAMP":"3","MESSAGE":null}
`
	want := []Entry{
		{Time: 1500 * time.Millisecond, Boot: "b1", Unit: "bootswain.service", Priority: 6, PID: 42, Message: "READY data"},
		{Time: 2 * time.Second, Unit: "mariadb.service", Message: "hi\xc8"},
		{Time: 3 * time.Microsecond},
	}
	got, err := parseJournal(lines)
	if err != nil || len(got) != len(want) {
		t.Fatalf("%+v, %v", got, err)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%+v, not %+v", got[i], want[i])
		}
	}
	if _, err := parseJournal("{}\n"); err == nil || err.Error() != `cannot read the time of the journal line "{}\n": strconv.ParseInt: parsing "": invalid syntax` {
		t.Errorf("a line without time: %v", err)
	}
}

func FuzzParseJournal(f *testing.F) {
	f.Add(`{"__MONOTONIC_TIMESTAMP":"1","MESSAGE":[1,999]}`)
	f.Add(`{"__MONOTONIC_TIMESTAMP":"1","PRIORITY":"x"}` + "\n{")
	f.Fuzz(func(_ *testing.T, lines string) { _, _ = parseJournal(lines) })
}

func TestOutput(t *testing.T) {
	for _, tc := range []struct {
		status string
		code   int
		words  string
		err    string
	}{
		{`{"exited":true,"exitcode":0,"out-data":"b2s="}`, 0, "", ""},
		{`{"exited":true,"exitcode":3,"err-data":"bm8="}`, 3, "exit status 3: no", ""},
		{`{"exited":true,"signal":9}`, 137, "exit status 137: ", ""},
		{`{"exited":true,"out-truncated":true}`, 0, "", "the command wrote more than the guest agent keeps"},
	} {
		var s execStatus
		if err := json.Unmarshal([]byte(tc.status), &s); err != nil {
			t.Fatal(err)
		}
		out, err := s.output()
		if out.Code != tc.code || words(out.OK()) != tc.words || words(err) != tc.err {
			t.Errorf("%s: %+v, %v", tc.status, out, err)
		}
	}
}

func words(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
