package main

import "github.com/spf13/cobra"

func doctorCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Try every access that this instance needs, and say what is missing",
		Long: `Try every access that this instance needs for its launch data, and say of each
whether it works and what to do if not: the metadata service, the image's
identity, the role's credentials, the volumes and the right to attach them, the
keys, the clock, programs, kernel modules, units, mdadm's configuration and sshd.
It changes nothing; EC2 is asked to check rights alone (DryRun).

Exit code 0 means that all of it works; else it is that of the worst line.`,
		Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			a, err := newAgent(c)
			if err != nil {
				return err
			}
			return a.Doctor(c.Context(), asJSON)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print the lines as JSON")
	return c
}
