package mysql

import "testing"

// TestStopping has what MariaDB 11.8 and MySQL 9.7 were seen to tell systemd.
func TestStopping(t *testing.T) {
	for status, want := range map[string]string{
		"Waiting to flush 11859 pages":                               "11859 pages to write",
		"InnoDB: to purge 31 transactions":                           "31 transactions to purge",
		"Dumping buffer pool page 1/169":                             "",
		"Waiting for page cleaner thread to exit":                    "",
		"Pre DD shutdown of MySQL SE plugin InnoDB in progress":      "",
		"Waiting to flush 99999999999999999999999999999999999 pages": "",
		"": "",
	} {
		if got := Stopping(status); got != want {
			t.Errorf("%q: %q, want %q", status, got, want)
		}
	}
}
