package agent

import (
	"testing"
	"time"

	"bootswain/health"
	"bootswain/internal/situation"
)

func TestNagios(t *testing.T) {
	used := 42.5
	check := func(name string, w situation.Word, text string) health.Check {
		return health.CheckOf(name, &situation.Situation{Word: w, Subject: name, Text: text, Next: "look"}, time.Now())
	}
	daemon, data := check("daemon", situation.Ready, "reports"), check("space:/", situation.Ready, "fine")
	data.Value, data.Unit = &used, "percent"
	swap, mysql := check("swap", situation.Degraded, "much | of it"), check("mysql", situation.Held, "no volume")
	for _, tt := range []struct {
		checks []health.Check
		names  []string
		text   string
		code   int
	}{
		{[]health.Check{daemon, data}, nil, "BOOTSWAIN OK - 2 checks pass | 'space:/'=42.5%", 0},
		{[]health.Check{daemon, swap}, nil, "BOOTSWAIN WARNING - DEGRADED swap: much / of it\nDEGRADED swap: much / of it\n  next: look", 1},
		{[]health.Check{daemon, swap, mysql}, nil, "BOOTSWAIN CRITICAL - HELD mysql: no volume\nHELD mysql: no volume\n  next: look\nDEGRADED swap: much / of it\n  next: look", 2},
		{[]health.Check{daemon, swap, mysql}, []string{"daemon"}, "BOOTSWAIN OK - 1 checks pass", 0},
		{[]health.Check{daemon}, []string{"nope"}, `BOOTSWAIN UNKNOWN - there is no check "nope"`, 3},
		{[]health.Check{check("daemon", situation.Failed, "no news")}, []string{"nope"}, "BOOTSWAIN CRITICAL - FAILED daemon: no news\nFAILED daemon: no news\n  next: look", 2},
	} {
		text, code := nagios(tt.checks, tt.names)
		if text != tt.text || code != tt.code {
			t.Errorf("%d %q\nwant %d %q", code, text, tt.code, tt.text)
		}
		if err := nagiosError(code); code > 0 && (ExitCode(err) != code || Explain(err) != "") {
			t.Errorf("exit code %d of %d, %q", ExitCode(err), code, Explain(err))
		}
	}
}
