package mysql

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"bootswain/internal/situation"
)

// TestDocumented: docs/mysql.md has a row for each reason to hold a database
// that its data can be, in the words of the program, and no other.
func TestDocumented(t *testing.T) {
	program := func(f Flavour, major, minor, patch int, fold string) Program {
		return Program{Flavour: f, Version: Version{major, minor, patch}, Case: fold}
	}
	data := func(f Flavour, major, minor, patch int) Data {
		return Data{Flavour: f, Wrote: Version{major, minor, patch}}
	}
	fits := func(p Program, d Data) error {
		_, err := p.Fits(strings.ToLower(string(p.Flavour)), d, true)
		return err
	}
	dirty := data(MariaDB, 10, 6, 12)
	dirty.Redo.Dirty = true
	_, unattended := program(MariaDB, 11, 8, 6, "0").Fits("mariadb", data(MariaDB, 10, 11, 19), false)
	m := Move{Server: Server{Unit: "mariadb.service"}, Volume: "data", Mount: "/srv/data", Directory: Directory}
	logs := Elsewhere{RedoLog, "logs", "/srv/logs"}
	missed := pair{Parts: map[Part]parted{RedoLog: {Volume: "logs"}}}
	cases := []error{
		fits(program(MariaDB, 10, 11, 11, "0"), data(MariaDB, 11, 8, 3)),
		unattended,
		fits(program(MySQL, 9, 7, 4, "0"), data(MySQL, 8, 0, 36)),
		fits(program(MySQL, 8, 0, 35, "0"), data(MySQL, 8, 0, 36)),
		fits(program(MariaDB, 11, 8, 6, "0"), data(MySQL, 9, 7, 4)),
		fits(program(MariaDB, 11, 8, 6, "0"), dirty),
		fits(program(MariaDB, 11, 8, 6, "0"), Data{}),
		m.unfinished("mysql/db.frm"),
		m.foreign([]string{"notes.txt", "photos"}),
		m.noDirectory(),
		m.severalOwners(account{uid: 4711}, account{uid: 100}, []string{"4712"}),
		m.nobodys(),
		m.tooLittle(7<<20, leastFree),
		program(MySQL, 9, 7, 4, "1").findsNames("mysql", Data{}, "0"),
		program(MariaDB, 11, 8, 6, "1").findsNames("mariadb", Data{Upper: "Orders"}, ""),
		inHands("mariadb", "process 4711 (mariadbd)"),
		m.runsElsewhere(),
		logs.Apart("mariadb"),
		missed.named("mariadb", nil),
		missed.named("mariadb", []Elsewhere{{RedoLog, "fast", "/srv/fast"}}),
		pair{}.fits("mariadb", logs, t.TempDir()),
		m.inTheWay(logs, "holds "+some([]string{"ib_logfile0"})+", which is not of these databases"),
		m.inTheWay(logs, "is not a directory"),
		m.inPlace(RedoLog, []string{"notes.txt"}),
		m.hasBinaryLogs("binlog.000001"),
		m.noRedo(),
		m.partOfSeveral(logs, account{uid: 100}, []string{"4712"}),
		m.runsWhole([]Elsewhere{logs}),
		PartView{Part: BinaryLogs, Volume: "logs"}.NoCopy("mariadb"),
	}
	page, err := os.ReadFile("../docs/mysql.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "compares this table with the program -->")
	table, _, _ = strings.Cut(table, "<!-- end -->")
	rows := regexp.MustCompile("(?m)^\\| `.*\\n").FindAllString(table, -1)
	if len(rows) != len(cases) {
		t.Errorf("docs/mysql.md has %d rows, the program %d sentences", len(rows), len(cases))
	}
	for _, err := range cases {
		s := situation.Of(err)
		if s == nil {
			t.Errorf("%v is no sentence", err)
			continue
		}
		if row := "| `" + s.Error() + "` | `" + s.Next + "` |\n"; !strings.Contains(table, row) {
			t.Errorf("docs/mysql.md lacks\n%s", row)
		}
	}
}
