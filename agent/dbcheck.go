package agent

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"bootswain/health"
	"bootswain/internal/situation"
	"bootswain/mysql"
)

// remarks are what people must know of a server that answers.
func (v databaseView) remarks() string {
	switch {
	case v.isolated:
		return ", isolated"
	case v.status != nil && v.status.ReadOnly:
		return ", read-only"
	}
	return ""
}

// busy says whether the server is at something that people wait for.
func (v databaseView) busy() bool { return v.recovery != nil || v.state.Active == "deactivating" }

// checks are what the server's own words come to, beside that it answers.
func (v databaseView) checks(now time.Time) []health.Check {
	switch {
	case v.version == "" && v.unread != nil && mysql.TroubleOf(v.unread) == mysql.Full:
		return []health.Check{v.check("mysql:connections", now, situation.Failed,
			"has no connection left.", "end sessions, or raise max_connections")}
	case v.version == "":
		return nil
	case v.status == nil:
		return []health.Check{v.unreadCheck(now)}
	}
	checks := []health.Check{v.connections(now), v.purge(now), v.checkpoint(now)}
	if v.isolated {
		checks = append(checks, v.isolation(now))
	} else if len(v.status.Channels) > 0 {
		checks = append(checks, v.replication(now))
	}
	for i := range checks {
		checks[i].Quiet = true
	}
	return checks
}

func (v databaseView) check(name string, now time.Time, word situation.Word, text, next string) health.Check {
	if !v.at.IsZero() {
		now = v.at // who looks may hang
	}
	return health.CheckOf(name, &situation.Situation{Word: word, Subject: v.server.Name(), Text: text, Next: next}, now)
}

// word is what a measurement comes to.
func (v databaseView) word(check string, value float64) situation.Word {
	switch v.limits.Status(check, value) {
	case health.Fail:
		return situation.Failed
	case health.Warn:
		return situation.Degraded
	}
	return situation.Ready
}

// unreadCheck says why only the version is known.
func (v databaseView) unreadCheck(now time.Time) health.Check {
	word, text, next := situation.Degraded, fmt.Sprintf("answers, but did not say how it is within %s.", probeLimit), "SHOW FULL PROCESSLIST in it"
	mariadb := strings.Contains(v.version, "MariaDB")
	switch trouble := mysql.TroubleOf(v.unread); {
	case v.unread == nil:
		word, text, next = situation.Ready, "answers; how it is was not asked yet.", ""
	case trouble == mysql.NoAccount && mariadb && !mysql.MapsNames(v.version):
		word, text, next = situation.Ready, "answers; how it is can be read of MariaDB 11.6 and later.", ""
	case trouble == mysql.NoAccount:
		text, next = "answers, but does not let bootswain read how it is: "+strings.ReplaceAll(v.unread.Error(), "\n", "; ")+".",
			"as root in it: "+mysql.AccountSQL(mariadb)
	case trouble == mysql.Busy:
		text = "an earlier look at it has not ended in it; it hangs."
	}
	c := v.check("mysql:status", now, word, text, next)
	c.Quiet = true
	return c
}

func (v databaseView) connections(now time.Time) health.Check {
	used, most := v.status.Connections, max(v.status.MaxConnections, 1)
	word, next := v.word("mysql:connections", 100*float64(used)/float64(most)), ""
	switch word {
	case situation.Failed:
		next = "end sessions, or raise max_connections"
	case situation.Degraded:
		next = "see who holds them: SHOW FULL PROCESSLIST"
	}
	c := v.check("mysql:connections", now, word, fmt.Sprintf("%d of %d connections.", used, most), next)
	value := float64(used)
	c.Value, c.Unit = &value, "connections"
	return c
}

// isolation looks whether a copy really keeps to itself.
func (v databaseView) isolation(now time.Time) health.Check {
	var does []string
	for what, is := range map[string]bool{
		"can be written to": !v.status.ReadOnly,
		"runs events":       v.status.Events,
		"replicates": slices.ContainsFunc(v.status.Channels, func(c health.Channel) bool {
			return c.Receiver != "No" || c.Applier != "No"
		}),
	} {
		if is {
			does = append(does, what)
		}
	}
	if len(does) > 0 {
		slices.Sort(does)
		return v.check("mysql:isolated", now, situation.Failed, "is to be isolated, but "+strings.Join(does, ", ")+".", "systemctl restart "+v.server.Unit)
	}
	return v.check("mysql:isolated", now, situation.Ready, "keeps to itself.", "")
}

// purge is the length of InnoDB's history list.
func (v databaseView) purge(now time.Time) health.Check {
	word, next := v.word("mysql:history", float64(v.status.History)), ""
	if word != situation.Ready {
		next = "end the oldest transaction: SELECT * FROM information_schema.INNODB_TRX ORDER BY trx_started"
	}
	c := v.check("mysql:history", now, word, fmt.Sprintf("%d transactions wait for the purge.", v.status.History), next)
	value := float64(v.status.History)
	c.Value, c.Unit = &value, "transactions"
	return c
}

func (v databaseView) checkpoint(now time.Time) health.Check {
	age, most := v.status.CheckpointAge, v.status.CheckpointMax
	word, next := v.word("mysql:checkpoint", 100*float64(age)/float64(max(most, 1))), ""
	if word != situation.Ready {
		next = "a larger redo log, or faster volumes: writers wait for the checkpoint"
	}
	c := v.check("mysql:checkpoint", now, word, fmt.Sprintf("%d MiB of redo since the checkpoint, of %d.", age>>20, most>>20), next)
	value := float64(age)
	c.Value, c.Unit = &value, "bytes"
	return c
}

// replication is the worst of the sources.
func (v databaseView) replication(now time.Time) health.Check {
	var worst health.Check
	var longest *time.Duration
	for _, ch := range v.status.Channels {
		if c := v.channel(ch, now); worst.Name == "" || health.Worst([]health.Check{worst, c}) != worst.Status {
			worst = c
		}
		if ch.Lag != nil && (longest == nil || *ch.Lag > *longest) {
			longest = ch.Lag
		}
	}
	if longest != nil {
		value := longest.Seconds()
		worst.Value, worst.Unit = &value, "s"
	}
	return worst
}

func (v databaseView) channel(c health.Channel, now time.Time) health.Check {
	from := "replicates from " + c.Source
	if c.Name != "" {
		from += " (" + c.Name + ")"
	}
	say := func(word situation.Word, text, next string) health.Check {
		return v.check("mysql:replication", now, word, from+text, next)
	}
	why := ""
	if c.Error != "" {
		why = ": " + strings.TrimSuffix(c.Error, ".")
	}
	stopped := c.Receiver == "No" || c.Applier == "No"
	switch {
	case stopped && why != "":
		return say(situation.Failed, " no more"+why+".", "mend what it says, then start the replica threads")
	case stopped:
		return say(situation.Degraded, ", and is stopped.", "start the replica threads, or take the replication away")
	case c.Receiver != "Yes":
		return say(situation.Degraded, ", not connected"+why+".", "nothing if the source is being restarted; else look there")
	case c.Lag == nil:
		return say(situation.Degraded, "; how far behind is not known.", "SHOW REPLICA STATUS in it")
	}
	word, next := v.word("mysql:replication", c.Lag.Seconds()), ""
	switch word {
	case situation.Failed:
		next = "find what holds the applier: SHOW FULL PROCESSLIST"
	case situation.Degraded:
		next = "nothing if it catches up"
	}
	return say(word, fmt.Sprintf(", %s behind.", *c.Lag), next)
}
