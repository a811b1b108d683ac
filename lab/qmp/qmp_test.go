package qmp

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// peer answers each line with what answer makes of it.
func peer(t *testing.T, onEvent func(Event), answer func(line string, id int) string) *Conn {
	ours, theirs := net.Pipe()
	c := New(ours, onEvent)
	t.Cleanup(func() { c.Close(); theirs.Close() })
	go func() {
		in := bufio.NewScanner(theirs)
		for id := 1; in.Scan(); id++ {
			if _, err := fmt.Fprint(theirs, answer(in.Text(), id)); err != nil {
				return
			}
		}
	}()
	return c
}

func TestDo(t *testing.T) {
	var events []string
	c := peer(t, func(e Event) { events = append(events, e.Name) }, func(line string, id int) string {
		if strings.Contains(line, "bad") {
			return fmt.Sprintf(`{"id":%d,"error":{"class":"GenericError","desc":"no such thing"}}`+"\n", id)
		}
		return fmt.Sprintf(`{"event":"RESET","data":{}}`+"\n"+`{"id":77,"return":{}}`+"\n"+`{"id":%d,"return":{"running":true}}`+"\n", id)
	})
	var status struct{ Running bool }
	if err := c.Do(t.Context(), "query-status", nil, &status); err != nil || !status.Running {
		t.Errorf("%+v, %v", status, err)
	}
	if len(events) != 1 || events[0] != "RESET" {
		t.Errorf("events %v", events)
	}
	refusal, ok := errors.AsType[*Error](c.Do(t.Context(), "bad", nil, nil))
	if !ok || refusal.Error() != "cannot bad: no such thing" {
		t.Errorf("refusal: %v", refusal)
	}
}

func TestResyncSkipsWhatWasCutOff(t *testing.T) {
	c := peer(t, nil, func(_ string, id int) string {
		return fmt.Sprintf("{\"id\":9,\"ret\xff"+`{"id":%d,"return":1}`+"\n", id)
	})
	if err := c.Resync(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestEnds(t *testing.T) {
	gone := errors.New("the agent is gone")
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	for _, tc := range []struct {
		name string
		ctx  context.Context
		end  func(*Conn)
		want error
	}{
		{"abandoned", t.Context(), func(c *Conn) { c.Abandon(gone) }, gone},
		{"closed", t.Context(), func(c *Conn) { c.Close() }, ErrClosed},
		{"out of time", short, func(*Conn) {}, context.DeadlineExceeded},
	} {
		asked := make(chan bool, 1)
		c := peer(t, nil, func(string, int) string { asked <- true; return "" })
		go func() { <-asked; tc.end(c) }()
		if err := c.Do(tc.ctx, "wait", nil, nil); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"id":1,"return":{}}`))
	f.Add([]byte("junk\xff{\"event\":\"RESET\"}"))
	f.Fuzz(func(_ *testing.T, line []byte) { parse(line) })
}
