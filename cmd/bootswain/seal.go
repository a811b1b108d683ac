package main

import (
	"errors"

	"github.com/spf13/cobra"

	"bootswain/agent"
)

func sealCommand() *cobra.Command {
	var options agent.SealOptions
	c := &cobra.Command{
		Use:   "seal --to RECIPIENT [--random | < KEY]",
		Short: "Seal a volume key to an image, for launch data",
		Long: `Seal a volume key to the images that hold the identities of the recipients, and
print the stanza for the launch data. The key is read from standard input, as
it is, or made with --random and never shown.

Sealing keeps the key from everyone who can read launch data but not the
image's own identity. It does not keep it from someone who can read the image.`,
		Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			if len(options.To) == 0 {
				return usageError{errors.New("seal to whom? name the image's recipient: --to age1…")}
			}
			return agent.Seal(options, c.InOrStdin(), c.OutOrStdout())
		},
	}
	c.Flags().StringArrayVar(&options.To, "to", nil, "age `RECIPIENT` of an image, age1… (may be repeated)")
	c.Flags().BoolVar(&options.Random, "random", false, "make a new random key")
	return c
}
