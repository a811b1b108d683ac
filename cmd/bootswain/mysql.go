package main

import (
	"github.com/spf13/cobra"
)

func mysqlCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "mysql", Short: "The database and its volume",
		Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(&cobra.Command{
		Use:   "gate",
		Short: "Say whether the database may start; exit 255 if not",
		Long: `Say whether the database server may start now: its volume is up, mounted where
it belongs, and holds the server's data. Run by the server's unit before each
start; exits with 255 if the server is held.`,
		Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			a, err := newAgent(c)
			if err != nil {
				return err
			}
			return a.Gate(c.Context())
		},
	})
	var asJSON bool
	status := &cobra.Command{
		Use:   "status",
		Short: "Show how the database server is",
		Long: `Show what the database server says of itself: connections, InnoDB's history and
checkpoint, how long its files take to answer, from whom it replicates and which
transactions it has. While it repairs its files after a crash: how far it has
come. It is asked every five seconds, over its socket, by an account that may
read this and nothing else; where that is missing, the statement to run is said.`,
		Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			a, err := newAgent(c)
			if err != nil {
				return err
			}
			return a.DatabaseStatus(asJSON)
		},
	}
	status.Flags().BoolVar(&asJSON, "json", false, "print it as JSON")
	c.AddCommand(status)
	return c
}
