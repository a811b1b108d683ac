package main

import (
	"github.com/spf13/cobra"

	"bootswain/agent"
)

func configCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "config", Short: "Look at launch data before or after a launch",
		Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(&cobra.Command{
		Use:   "check FILE",
		Short: "Say every fault of a launch document, with line and column",
		Long: `Say every fault of the launch document in FILE ("-" for standard input), with
line and column and what to do. Needs no cloud and changes nothing.`,
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			return agent.ConfigCheck(args[0], c.InOrStdin(), c.OutOrStdout())
		},
	})
	return c
}
