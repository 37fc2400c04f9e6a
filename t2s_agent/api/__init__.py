"""The public functions and objects of this library. Import them from `t2s_agent`, which loads each when it is first used."""
