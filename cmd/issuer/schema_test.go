package main

import (
	"strings"
	"testing"
)

// A command on a journal of another version changes none of its tables, and says with status 2 what to do.
func TestCommandsLeaveTablesAlone(t *testing.T) {
	for _, version := range []struct{ name, change, want string }{
		{"older", "DELETE FROM schema_migrations WHERE name = (SELECT max(name) FROM schema_migrations)", "start the service of this version once"},
		{"newer", "INSERT INTO schema_migrations SELECT '9999_later', checksum, applied FROM schema_migrations LIMIT 1", "use that version, or a later one"},
		{"changed", "UPDATE schema_migrations SET checksum = 'x' WHERE name = '0001_journal'", "0001_journal was changed"},
	} {
		t.Run(version.name, func(t *testing.T) {
			where, change := auditLog(t, 1)
			change(version.change)
			for _, args := range [][]string{
				{"audit", "verify"}, {"audit", "export"}, {"token", "list"}, {"token", "create", "--name=x", "--role=admin"},
				{"token", "revoke", "x"}, {"token", "deny", "--subject=x"}, {"token", "allow", "--subject=x"},
				{"operation", "settle", "01JD8Q4Z7T9XW3V5K2M6N8P0RS", "--as=expired", "--reason=x"},
			} {
				out, log, status := command(t, append(args, where)...)
				if status != 2 || out != "" || !strings.Contains(log, version.want) {
					t.Errorf("%v: %d %s%s", args, status, out, log)
				}
			}
		})
	}
}
