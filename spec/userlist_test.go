package spec

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestParseUsersFrom(t *testing.T) {
	for doc, want := range map[string]UsersFrom{
		"ssm:/bootswain/orders-db/users": {Address: "ssm:/bootswain/orders-db/users", Every: 5 * time.Minute},
		"{address: s3://orders/users.yaml, every: 1m, max_stale: 12h, when_stale: lock, break_glass: " + key1 + ", end_sessions: true}": {
			Address: "s3://orders/users.yaml", Every: time.Minute, MaxStale: 12 * time.Hour, LockStale: true, BreakGlass: key1, EndSessions: true},
		"{address: ssm:users, max_stale: 1d, when_stale: keep}": {Address: "ssm:users", Every: 5 * time.Minute, MaxStale: 24 * time.Hour},
	} {
		s, err := Parse([]byte("version: 1\nusers_from: " + doc + "\n"))
		if err != nil || !reflect.DeepEqual(*s.UsersFrom, want) {
			t.Errorf("%s: %+v, %v", doc, s.UsersFrom, err)
		}
	}
	for doc, want := range map[string]string{
		"https://example.org/users":                        `2:13: users_from "https://example.org/users" is no address of a list of users (ssm:/NAME or s3://BUCKET/KEY)`,
		"{every: 1m}":                                      "2:13: users_from.address missing (ssm:/NAME or s3://BUCKET/KEY)",
		"{address: ssm:a, every: 1s}":                      `2:37: users_from.every "1s" is too often (30s)`,
		"{address: ssm:a, when_stale: luck}":               `2:42: users_from.when_stale "luck" is not known (keep or lock)`,
		"{address: ssm:a, break_glass: x}":                 "2:43: users_from.break_glass is no SSH public key: no key type such as ssh-ed25519 in it",
		"{address: ssm:a, when_stale: lock}":               "2:13: users_from.break_glass missing (a key that goes on working, since when_stale is lock), 1 more",
		"{address: ssm:a, when_stale: lock, max_stale: 0}": "2:13: users_from.break_glass missing (a key that goes on working, since when_stale is lock), 1 more",
	} {
		if _, err := Parse([]byte("version: 1\nusers_from: " + doc + "\n")); err == nil || err.Error() != want {
			t.Errorf("%s: %v\nwant %s", doc, err, want)
		}
	}
}

func TestParseUsers(t *testing.T) {
	users, err := ParseUsers([]byte("version: 1\nusers: [{name: ops}]\n"))
	if err != nil || len(users) != 1 {
		t.Errorf("%v, %v", users, err)
	}
	for doc, want := range map[string]string{
		"": "1:1: the document is empty (it begins with version: 1)",
		"version: 1\nusers: [{name: ops}, {name: ops, x: 1}]\n":     "2:",
		"version: 1\nusers: []\nhealth: {listen: 127.0.0.1:8273}\n": "3:1: health does not belong in a list of users (only version and users)",
		"version: 1\nusers_from: ssm:/more\nusers: [{name: ops}]\n": "2:1: users_from does not belong in a list of users (only version and users)",
	} {
		users, err := ParseUsers([]byte(doc))
		if _, ok := errors.AsType[*Errors](err); !ok || !strings.HasPrefix(err.Error(), want) || users != nil {
			t.Errorf("%q: %v, %v\nwant %s", doc, users, err, want)
		}
	}
}

func TestGrantAndRevoke(t *testing.T) {
	until := time.Date(2027, 1, 31, 9, 0, 0, 0, time.UTC)
	doc, err := GrantUser(nil, Grant{Name: "dba", Sudo: true, Keys: []string{key1}, Expires: until})
	want := "#bootswain\nversion: 1\nusers:\n  - name: dba\n    sudo: true\n    ssh_authorized_keys:\n      - " + key1 + "\n    expires: 2027-01-31T09:00:00Z\n"
	if err != nil || string(doc) != want {
		t.Fatalf("got %v\n%s\nwant\n%s", err, doc, want)
	}
	doc = append(doc, "  # on call\n  - {name: ops, groups: adm}\n"...)
	if doc, err = GrantUser(doc, Grant{Name: "dba", Keys: []string{key1}}); err != nil || !strings.Contains(string(doc), "# on call") || strings.Contains(string(doc), "sudo") || strings.Contains(string(doc), "expires") {
		t.Errorf("granted again: %v\n%s", err, doc)
	}
	doc, found, err := RevokeUser(doc, "dba")
	if users, parseErr := ParseUsers(doc); err != nil || !found || parseErr != nil || len(users) != 1 || users[0].Name != "ops" {
		t.Errorf("revoked: %v, %v, %v\n%s", found, err, parseErr, doc)
	}
	again, found, err := RevokeUser(doc, "dba")
	if found || err != nil || string(again) != string(doc) {
		t.Errorf("revoked again: %v, %v\n%s", found, err, again)
	}
	if _, found, err := RevokeUser(nil, "dba"); found || err != nil {
		t.Errorf("no list: %v, %v", found, err)
	}
	if doc, err := GrantUser([]byte("version: 1\n"), Grant{Name: "ops"}); err != nil || !strings.Contains(string(doc), "name: ops") {
		t.Errorf("no users: %v\n%s", err, doc)
	}
	for name, g := range map[string]Grant{"root": {Name: "root"}, "key": {Name: "ops", Keys: []string{"x"}}} {
		if doc, err := GrantUser(nil, g); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v\n%s", name, err, doc)
		}
	}
	if _, err := GrantUser([]byte("users: [{nam: x}]\n"), Grant{Name: "ops"}); err == nil || !strings.Contains(err.Error(), "1:1: version missing") {
		t.Errorf("a faulty list: %v", err)
	}
}
