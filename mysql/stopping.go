package mysql

import (
	"regexp"
	"strings"
)

// left matches what MariaDB says of itself while it stops. MySQL says only what
// it is doing, not how much of it is left.
var left = regexp.MustCompile(`(?i)waiting to flush (\d{1,19}) pages|to purge (\d{1,19}) transactions`)

// Stopping says how much a server that stops has to do yet: "11859 pages to
// write". status is what it told systemd; "" means that it does not say.
func Stopping(status string) string {
	m := left.FindStringSubmatch(strings.TrimSpace(status))
	switch {
	case m == nil:
		return ""
	case m[1] != "":
		return m[1] + " pages to write"
	default:
		return m[2] + " transactions to purge"
	}
}
