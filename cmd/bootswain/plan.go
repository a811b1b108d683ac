package main

import (
	"github.com/spf13/cobra"

	"bootswain/agent"
)

func planCommand() *cobra.Command {
	var options agent.ApplyOptions
	c := &cobra.Command{
		Use:   "plan [NAME]",
		Short: "Print what apply would do to the volumes, and what each step writes over",
		Long: `Print what apply would do next to the volumes, or to the volume NAME, and what
each step writes over. Nothing on the machine is changed. What lies behind an
array or an encrypted device shows once that is assembled or opened, so apply
may find more to do after these steps.`,
		Args: usage(cobra.MaximumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			a, err := newAgent(c)
			if err != nil {
				return err
			}
			options.Name = first(args)
			return a.Plan(c.Context(), options)
		},
	}
	c.Flags().StringVar(&options.From, "from", "", "read the document from `FILE` instead of the instance's launch data")
	c.Flags().StringArrayVar(&options.Wipe, "wipe", nil, "plan as if what a refusal found were released, as `VOLUME:FINGERPRINT`")
	return c
}
