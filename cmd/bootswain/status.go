package main

import (
	"github.com/spf13/cobra"

	"bootswain/agent"
)

func statusCommand() *cobra.Command {
	var options agent.StatusOptions
	c := &cobra.Command{
		Use:   "status",
		Short: "Say how things are, and what to do next",
		Long: `Say how things are: what is wrong first, with what to do next, then the
storage from volume ids to mounts. Exit code 0 means that nothing is wrong.`,
		Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			a, err := newAgent(c)
			if err != nil {
				return err
			}
			return a.Status(c.Context(), options)
		},
	}
	c.Flags().BoolVar(&options.JSON, "json", false, "print the report as JSON")
	c.Flags().BoolVar(&options.Steps, "steps", false, "show what was done since boot, and how long each step took")
	c.Flags().DurationVar(&options.Wait, "wait", 0, "wait up to `DURATION` for everything to be ready (5m if none is given)")
	c.Flags().Lookup("wait").NoOptDefVal = "5m"
	return c
}
