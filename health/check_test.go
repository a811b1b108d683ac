package health

import (
	"testing"
	"time"

	"bootswain/internal/situation"
)

func TestStatusOf(t *testing.T) {
	for word, want := range map[situation.Word]Status{
		situation.Ready: Pass, situation.Working: Warn, situation.Down: Warn, situation.Recovering: Warn,
		situation.Degraded: Warn, situation.Waiting: Warn, situation.Locked: Fail, situation.Held: Fail,
		situation.Refused: Fail, situation.Failed: Fail, "": Fail, "NOVEL": Fail,
	} {
		if got := StatusOf(word); got != want {
			t.Errorf("%q is %s, want %s", word, got, want)
		}
	}
}

func TestWorst(t *testing.T) {
	for _, tt := range []struct {
		have []Status
		want Status
	}{
		{nil, Fail}, {[]Status{Pass}, Pass}, {[]Status{Pass, Warn, Pass}, Warn},
		{[]Status{Warn, Fail, Pass}, Fail}, {[]Status{Fail, Warn}, Fail},
	} {
		var checks []Check
		for _, s := range tt.have {
			checks = append(checks, Check{Status: s})
		}
		if got := Worst(checks); got != tt.want {
			t.Errorf("worst of %v is %s, want %s", tt.have, got, tt.want)
		}
	}
}

func TestSettled(t *testing.T) {
	for _, tt := range []struct {
		words []situation.Word
		want  bool
	}{
		{nil, false},
		{[]situation.Word{situation.Ready}, true},
		{[]situation.Word{situation.Ready, situation.Degraded}, true},
		{[]situation.Word{situation.Ready, situation.Working}, false},
		{[]situation.Word{situation.Waiting}, false},
		{[]situation.Word{situation.Down}, false},
		{[]situation.Word{situation.Recovering}, false},
		{[]situation.Word{situation.Ready, situation.Failed}, false},
	} {
		var checks []Check
		for _, w := range tt.words {
			checks = append(checks, CheckOf("x", &situation.Situation{Word: w}, noon))
		}
		if got := Settled(checks); got != tt.want {
			t.Errorf("%v settled: %v", tt.words, got)
		}
	}
}

func TestTrack(t *testing.T) {
	at := func(name string, s Status, minute int) Check {
		return Check{Name: name, Status: s, Time: noon.Add(time.Duration(minute) * time.Minute)}
	}
	first := Track(nil, []Check{at("a", Pass, 0), at("b", Fail, 0)})
	second := Track(first, []Check{at("b", Pass, 1), at("a", Pass, 1), at("c", Warn, 1)})
	third := Track(second, []Check{at("a", Pass, 2), at("b", Pass, 2)})
	for _, tt := range []struct {
		checks []Check
		name   string
		minute int
	}{
		{first, "a", 0}, {first, "b", 0}, {second, "a", 0}, {second, "b", 1}, {second, "c", 1}, {third, "a", 0}, {third, "b", 1},
	} {
		for _, c := range tt.checks {
			if want := noon.Add(time.Duration(tt.minute) * time.Minute); c.Name == tt.name && !c.Since.Equal(want) {
				t.Errorf("%s is so since %s, want %s", c.Name, c.Since, want)
			}
		}
	}
	if !first[0].Since.Equal(noon) || second[0].Name != "b" {
		t.Error("the order or the input changed")
	}
}
