package main

import (
	"github.com/spf13/cobra"

	"bootswain/agent"
)

func applyCommand() *cobra.Command {
	var options agent.ApplyOptions
	c := &cobra.Command{
		Use:   "apply [NAME]",
		Short: "Make this machine what its launch data asks for",
		Long: `Make this machine what its launch data asks for: people first, then every
volume, or only the volume NAME. Safe to repeat; a second run does nothing.

With --from the document in FILE takes the place of the launch data until the
next boot.`,
		Args: usage(cobra.MaximumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			a, err := newAgent(c)
			if err != nil {
				return err
			}
			options.Name = first(args)
			return a.Apply(c.Context(), options)
		},
	}
	c.Flags().StringVar(&options.From, "from", "", "read the document from `FILE` instead of the instance's launch data")
	c.Flags().StringArrayVar(&options.Wipe, "wipe", nil, "discard what a refusal found, as `VOLUME:FINGERPRINT` (may be repeated; needs NAME)")
	return c
}

func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}
