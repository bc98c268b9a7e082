"""What will be done, as values. Nothing here touches the machine: values in, values out."""
