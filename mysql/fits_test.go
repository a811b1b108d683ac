package mysql

import (
	"testing"

	"bootswain/internal/situation"
)

func TestFits(t *testing.T) {
	program := func(f Flavour, v string) Program {
		p := Program{Flavour: f, Case: "0"}
		p.Version, _ = parseVersion(v)
		return p
	}
	data := func(f Flavour, v string) Data {
		d := Data{Content: Whole, Flavour: f}
		d.Wrote, _ = parseVersion(v)
		return d
	}
	dirty := func(d Data, format uint32) Data {
		d.Redo = redoLog{Format: format, Dirty: true}
		return d
	}
	const stepwise = "MySQL upgrades step by step: launch the 8.4 image first, with mysql: {upgrade: true}"
	for _, tt := range []struct {
		name    string
		program Program
		data    Data
		upgrade bool
		text    string // of the situation, or what is remarked; "" says nothing
		next    string // "": the server may start
	}{
		{"the same", program(MariaDB, "11.8.6"), data(MariaDB, "11.8.6"), false, "", ""},
		{"a later release of the series", program(MariaDB, "11.8.6"), data(MariaDB, "11.8.3"), false, "", ""},
		{"an earlier release of the series", program(MariaDB, "11.8.3"), data(MariaDB, "11.8.6"), false, "data written by 11.8.6 are opened by the earlier 11.8.3 of the same series", ""},
		{"an earlier release of MySQL's long support", program(MySQL, "8.4.3"), data(MySQL, "8.4.7"), false, "data written by 8.4.7 are opened by the earlier 8.4.3 of the same series", ""},
		{"an earlier release of MySQL 8.0", program(MySQL, "8.0.35"), data(MySQL, "8.0.36"), false, "data written by 8.0.36, this image has 8.0.35; untouched.", "launch the 8.0.36 image"},
		{"downgrade", program(MariaDB, "10.11.11"), data(MariaDB, "11.8.3"), false, "data written by 11.8.3, this image has 10.11.11; untouched.", "launch the 11.8 image"},
		{"downgrade, upgrades allowed", program(MariaDB, "10.11.11"), data(MariaDB, "11.8.3"), true, "data written by 11.8.3, this image has 10.11.11; untouched.", "launch the 11.8 image"},
		{"upgrade, unattended", program(MariaDB, "11.8.6"), data(MariaDB, "10.11.11"), false, "data written by 10.11.11, this image has 11.8.6; untouched.",
			"launch the 10.11 image; or, for an upgrade that cannot be taken back: snapshot, then mysql: {upgrade: true} in the launch data"},
		{"upgrade, asked for", program(MariaDB, "11.8.6"), data(MariaDB, "10.11.11"), true, "data written by 10.11.11 are upgraded to 11.8.6, as the launch data ask", ""},
		{"upgrade of MySQL, asked for", program(MySQL, "9.7.4"), data(MySQL, "8.4.3"), true, "data written by 8.4.3 are upgraded to 9.7.4, as the launch data ask", ""},
		{"upgrade from between", program(MySQL, "9.7.4"), data(MySQL, "9.2.0"), true, "data written by 9.2.0 are upgraded to 9.7.4, as the launch data ask", ""},
		{"upgrade that leaves one out", program(MySQL, "9.7.4"), data(MySQL, "8.0.36"), true, "data written by 8.0.36, this image has 9.7.4; untouched.", stepwise},
		{"upgrade that leaves one out, from between", program(MySQL, "9.7.4"), data(MySQL, "8.3.0"), true, "data written by 8.3.0, this image has 9.7.4; untouched.", stepwise},
		{"MySQL's data for MariaDB", program(MariaDB, "11.8.6"), data(MySQL, "9.7.4"), true, "data written by MySQL 9.7.4, this image has MariaDB 11.8.6; untouched.", "launch an image with MySQL 9.7"},
		{"MariaDB's data for MySQL", program(MySQL, "9.7.4"), data(MariaDB, "10.11.11"), true, "data written by MariaDB 10.11.11, this image has MySQL 9.7.4; untouched.", "launch an image with MariaDB 10.11"},
		{"nobody's", program(MySQL, "9.7.4"), Data{Content: Whole}, true, "which server wrote the data cannot be told; untouched.", "launch the image that they come from"},
		{"a crash before MariaDB 10.8", program(MariaDB, "11.8.6"), dirty(data(MariaDB, "10.6.12"), 0x50485953), true,
			"data written by 10.6.12 were not shut down cleanly, and 11.8.6 cannot replay that redo log; untouched.", "launch the 10.6 image, stop the database there, then come back"},
		{"the same in its own series", program(MariaDB, "10.6.14"), dirty(data(MariaDB, "10.6.12"), 0x50485953), false, "", ""},
		{"a crash before MySQL 8.0.30", program(MySQL, "8.0.36"), dirty(data(MySQL, "8.0.21"), 5), false,
			"data written by 8.0.21 were not shut down cleanly, and 8.0.36 cannot replay that redo log; untouched.", "launch the 8.0 image, stop the database there, then come back"},
		{"a crash with encryption", program(MariaDB, "11.8.6"), dirty(data(MariaDB, "11.8.6"), redoMariaDB|redoEncrypted), false, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			remark, err := tt.program.Fits("mariadb", tt.data, tt.upgrade)
			if tt.next == "" {
				if err != nil || remark != tt.text {
					t.Errorf("got %q, %v, want %q", remark, err, tt.text)
				}
				return
			}
			if s := situation.Of(err); s == nil || s.Word != situation.Held || s.Text != tt.text || s.Next != tt.next {
				t.Errorf("got  %#v\nwant %s\n     %s", s, tt.text, tt.next)
			}
		})
	}
}
