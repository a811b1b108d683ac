package agent

import (
	"context"
	"fmt"
	"time"

	"bootswain/mysql"
	"bootswain/systemd"
)

// stopNews is how often a stop is told of where it is not a terminal.
const stopNews = 10 * time.Second

// stopText says how far a server is that stops; "" if it does not stop.
func stopText(s mysql.Server, state systemd.State) string {
	if state.Active != "deactivating" {
		return ""
	}
	text := s.Name() + ": stops"
	if left := mysql.Stopping(state.Text); left != "" {
		text += "; " + left
	}
	return text
}

// tellStop shows how far a server is that somebody is stopping, until the
// function that it returns is called.
func (a *Agent) tellStop(ctx context.Context, s mysql.Server) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	bar, _ := terminal(a.out)
	go func() {
		defer close(done)
		look := time.NewTicker(time.Second)
		defer look.Stop()
		var said string
		var at time.Time
		for {
			select {
			case <-ctx.Done():
				if bar && said != "" {
					fmt.Fprint(a.out, "\r\x1b[K")
				}
				return
			case <-look.C:
			}
			state, err := a.units.State(ctx, s.Unit)
			text := stopText(s, state)
			switch {
			case err != nil || text == "" || text == said:
			case bar:
				fmt.Fprint(a.out, "\r"+text+"\x1b[K")
				said = text
			case time.Since(at) > stopNews:
				a.say("%s", text)
				said, at = text, time.Now()
			}
		}
	}()
	return func() { cancel(); <-done }
}

// announceDatabase prints what people wait for: a repair, a stop, and their end.
func (d *daemon) announceDatabase(now databaseView) {
	text := stopText(now.server, now.state)
	if now.recovery != nil {
		text = "RECOVERING " + now.server.Name() + ": " + now.recovery.String() + ". Do not restart."
	}
	if text == "" && d.database.recovery != nil && now.version != "" {
		text = "READY " + now.server.Name() + ": answers, version " + now.version + "."
	}
	if text != "" && text != d.waitsFor {
		d.say("%s", text)
	}
	d.waitsFor = text
}
