package main

import (
	"context"

	"github.com/spf13/cobra"

	"bootswain/agent"
)

func applyCommand() *cobra.Command {
	return documentCommand(&agent.ApplyOptions{}, "apply [NAME]", "Make this machine what its launch data asks for",
		`Make this machine what its launch data asks for: people first, then every
volume, or only the volume NAME. Safe to repeat; a second run does nothing.

With --from the document in FILE takes the place of the launch data until the
next boot.`, (*agent.Agent).Apply)
}

func planCommand() *cobra.Command {
	var options agent.ApplyOptions
	c := documentCommand(&options, "plan [NAME]", "Print what apply would do to the volumes, and what each step writes over",
		`Print what apply would do next to the volumes, or to the volume NAME, and what
each step writes over. Nothing on the machine is changed. What lies behind an
array or an encrypted device shows once that is assembled or opened, so apply
may find more to do after these steps.

With --json programs get {"volumes": [{"name", "steps": [{"text", "destroys":
[{"volume", "path", "size"}]}], "situation"}]}; a situation is what stands in
the way, with what was found and what to do next.`, (*agent.Agent).Plan)
	c.Flags().BoolVar(&options.JSON, "json", false, "print for programs")
	return c
}

// documentCommand is a command about the volumes of the launch data, or of a
// document that takes its place.
func documentCommand(options *agent.ApplyOptions, use, short, long string, do func(*agent.Agent, context.Context, agent.ApplyOptions) error) *cobra.Command {
	c := &cobra.Command{
		Use: use, Short: short, Long: long, Args: usage(cobra.MaximumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			a, err := newAgent(c)
			if err != nil {
				return err
			}
			if len(args) > 0 {
				options.Name = args[0]
			}
			return do(a, c.Context(), *options)
		},
	}
	c.Flags().StringVar(&options.From, "from", "", "read the document from `FILE` instead of the instance's launch data")
	c.Flags().StringArrayVar(&options.Wipe, "wipe", nil, "discard what a refusal found, as `VOLUME:FINGERPRINT` (may be repeated; needs NAME)")
	return c
}
