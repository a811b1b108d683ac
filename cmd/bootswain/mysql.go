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
	return c
}
