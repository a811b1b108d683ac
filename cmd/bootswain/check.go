package main

import "github.com/spf13/cobra"

func checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check [NAME…]",
		Short: "Say how things are to Nagios and its like",
		Long: `Say how things are in one line, for Nagios, Icinga and their like; what is
wrong, and what to do, stands below it. NAMEs pick checks, as status --json
shows them. The exit codes are Nagios's:

  0  OK
  1  WARNING
  2  CRITICAL, also when the daemon has not reported for 30 s
  3  UNKNOWN: there is no such check`,
		RunE: func(c *cobra.Command, names []string) error {
			a, err := newAgent(c)
			if err != nil {
				return err
			}
			return a.Check(names)
		},
	}
}
