package main

import (
	"errors"

	"github.com/spf13/cobra"

	"bootswain/agent"
)

func imageCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "image", Short: "Make a machine image, and see what must not be in it",
		Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(imagePrepareCommand(), imageCheckCommand())
	return c
}

func imagePrepareCommand() *cobra.Command {
	var options agent.PrepareImageOptions
	c := &cobra.Command{
		Use:   "prepare [--identity FILE | --public]",
		Short: "Make this machine ready to become an image",
		Long: `Make this machine ready to become an image: make the image's identity, or install
the one in FILE, and print the recipient that volume keys are sealed to; enable
the units for the next boot, and start none; have no array assembled but by
bootswain, in the initramfs too; remove host keys, histories, keys that may log
in, and the state of cloud-init and of bootswain, and empty machine-id and the
logs. Every file that goes is named. It is to be the last step; a second run
finds nothing more to do. While a volume is up it refuses.

Then see what else is in it: bootswain image check`,
		Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			if options.Public && options.Identity != "" {
				return usageError{errors.New("an image for others holds no identity; keep one of --public and --identity")}
			}
			a, err := newAgent(c)
			if err != nil {
				return err
			}
			return a.PrepareImage(c.Context(), options, c.InOrStdin())
		},
	}
	c.Flags().StringVar(&options.Identity, "identity", "", "install the age identity in `FILE`; - is standard input")
	c.Flags().BoolVar(&options.Public, "public", false, "the image will be given to others: make no identity, and refuse one that is there")
	return c
}

func imageCheckCommand() *cobra.Command {
	var options agent.ImageCheckOptions
	c := &cobra.Command{
		Use:   "check [ROOT]",
		Short: "Find what must not be in an image",
		Long: `Find what must not be in the image whose root directory is ROOT (/ if none is
given): private keys, credentials, tokens, passwords in the files of well-known
programs, accounts with a password, keys that may log in, host keys, histories,
and what the machine and its launch left. Each is named with file and line, never
shown. Only text is searched, and the first 64 MiB of a file; archives and
databases are not opened. What a Debian package brought is left out while it is
as it came.

Exit code 0 is a clean image, 1 one with findings, or one that could not be read
as a whole. The image's own identity is named and is no finding; with --public
it is refused with 3.`,
		Args: usage(cobra.MaximumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			options.Root = "/"
			if len(args) > 0 {
				options.Root = args[0]
			}
			return agent.ImageCheck(c.Context(), options, c.OutOrStdout())
		},
	}
	c.Flags().BoolVar(&options.Public, "public", false, "the image will be given to others: refuse its own identity, too")
	c.Flags().BoolVar(&options.JSON, "json", false, "print what was found as JSON")
	return c
}
